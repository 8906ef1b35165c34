/* Shared by policy.c, which decides faces, and policy_refresh.c, which calibrates. Not for other files. */
#ifndef KITH_CORE_MATCH_POLICY_INTERNAL_H
#define KITH_CORE_MATCH_POLICY_INTERNAL_H

#include "core/match/calibration.h"
#include "core/match/cohort.h"
#include "core/match/policy.h"
#include "core/match/score_norm.h"
#include "core/match/unknown_people.h"

enum {
    CANDIDATES_RATED = 5, /* at least; the best score is not always that of the nearest person */
    MODELS_MAX = 4        /* kept at once: the nodes of a cluster differ during an upgrade */
};

struct impostor_model { /* the distribution of impostors' scores, for the embeddings of one model */
    char *model;        /* id, owned; NULL: not in use */
    uint32_t metric;
    int dimension;
    uint64_t asked; /* value of decider.asks when it was last used */
    struct unknown_people *unknown_people;
    struct cohort *cohort;
    struct calibration calibration;
    struct decider_state state;
    /* The calibration under way, which takes the place of `cohort` and `calibration` when it ends: its cohort; `step`
     * says how far it is; and, of the last one, the number of unknown people and of templates it was made with. */
    struct cohort *next;
    struct calibration next_calibration;
    struct impostor *impostors; /* `count`, with capacity for PROBES_MAX; NULL: not needed yet */
    int step, count;
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

/* Returns the impostor model of a recogniser's model, with its state up to date; made if there is none. Valid until it
 * is asked for another model. */
struct impostor_model *decider_impostor_model(struct decider *d, const struct decider_model *m);

/* Prepares a probe for scoring: with the cohort if the FPIR rule applies, else without scores. */
struct score_norm_probe decider_prepare_probe(const struct decider *d, struct cohort *cohort,
                                              const struct decider_model *m, struct template_set *people,
                                              const float *probe);

#endif
