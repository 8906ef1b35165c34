/* What the files of the decision share: decide.c names faces, decide_refresh.c finds out what that takes. */
#ifndef KITH_CORE_MATCH_POLICY_INTERNAL_H
#define KITH_CORE_MATCH_POLICY_INTERNAL_H

#include "core/match/cohort.h"
#include "core/match/policy.h"
#include "core/match/score_norm.h"
#include "core/match/unknown_people.h"

enum {
    CANDIDATES_RATED = 5, /* who has the best score is not always who is nearest */
    MODELS_MAX = 4        /* that are remembered at once: nodes of a cluster may differ for a while */
};

struct impostor_model { /* what is known of strangers, by one model's embeddings */
    char *model;        /* NULL: of none yet */
    uint32_t metric;
    int dimension;
    uint64_t asked; /* when it was asked for last */
    struct unknown_people *unknown_people;
    struct cohort *cohort;
    struct decider_state state;
    /* The calibration under way, and what the last one was made of. */
    double *best;
    int done, count;
    bool running;
    size_t unknown_people_then, people_then;
};

struct decider {
    struct decider_policy policy;
    struct gallery_index *index;
    struct impostor_model impostor_models[MODELS_MAX], *asked_last;
    uint64_t asks;
};

struct template_set *decider_template_set(const struct decider *d, const struct decider_model *m, enum index_kind kind);

/* The model's, up to date with people and strangers; valid until another model is asked for. */
struct impostor_model *decider_impostor_model(struct decider *d, const struct decider_model *m);

/* From where this probe is looked at: with the cohort, if scores count. */
struct score_norm_probe decider_prepare_probe(const struct decider *d, const struct impostor_model *b,
                                              const struct decider_model *m, struct template_set *people,
                                              const float *probe);

#endif
