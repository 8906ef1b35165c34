/* The decision policy: whether a face gets a person's name. One of three rules is in force:
 *
 *   fixed     KITH_THRESHOLD is set: a person whose nearest template is within it is accepted.
 *   fallback  the cohort is still smaller than COHORT_MIN: a fixed threshold below the recogniser's own, which falls
 *             with the number of people.
 *   FPIR      KITH_FPIR is the wanted false positive identification rate: the normalised score (score_norm.h) must
 *             reach the calibrated score threshold (calibration.h). It is measured on this installation's own faces,
 *             rises with the number of people, and is stricter for faces of a type that is often confused.
 *
 * Under every rule a counter-example that is not farther from the face than the person's nearest template refutes the
 * person. Under fallback and FPIR no face beyond the recogniser's own threshold gets a name. One thread at a time.
 */
#ifndef KITH_CORE_MATCH_POLICY_H
#define KITH_CORE_MATCH_POLICY_H

#include "core/base/arena.h"
#include "core/match/index.h"

#include <stdbool.h>

struct decider;

struct decider_policy {
    double threshold;   /* distance; below 0: not set */
    double rate;        /* wanted false positive identification rate; 0: the recogniser's threshold decides */
    double quality;     /* 0 to 1; faces below it get no name */
    int candidates;     /* kept with each face */
    int cohort;         /* faces, at most */
    int unknown_people; /* faces of unknown people kept for re-identification, at most */
    const char *folder; /* as of gallery_index_new() */
    size_t memory_max;  /* bytes, as of gallery_index_new() */
};

struct decider_model { /* the recogniser's embeddings; borrowed for the call */
    const char *id;
    uint32_t metric;  /* enum match_metric */
    int dimension;    /* floats */
    double threshold; /* distance */
};

struct decider *decider_new(const struct decider_policy *policy); /* copies `policy`, borrows its folder */
void decider_free(struct decider *d);                             /* NULL is fine */
void decider_clear(struct decider *d);                            /* forgets templates, unknown people, calibration */
struct gallery_index *decider_index(struct decider *d);           /* borrowed */

/* Decides `count` faces, in one search. Sets person, distance, similarity, candidates (most similar first) and decision
 * of each. A face without a usable embedding of this model stays PERSON_UNKNOWN. The candidates of faces[i] are
 * allocated in arenas[i]. */
void decider_decide(struct decider *d, const struct decider_model *model, struct face *const *faces,
                    struct arena *const *arenas, int count);

/* Sets near[i] for each face that a template of `among` may give a name, NULL: of all templates. The other faces get no
 * name through those templates under any rule, whatever the rest of the gallery is. `among`: of the same model. */
void decider_select_near(struct decider *d, const struct decider_model *model, struct template_set *among,
                         const struct face *const *faces, int count, bool *near);

/* Whether a counter-example refutes that this face shows the person: one of the person's counter-examples is not
 * farther from it than the person's nearest template. */
bool decider_denies(struct decider *d, const struct decider_model *model, const struct face *face, int64_t person);

/* Keeps the embedding of an unknown face, for re-identification and for the cohort. Returns the
 * unknown person of the face: `unknown_person` if it is not 0, else the nearest one within the fallback threshold, else
 * a new one with the face's id. 0: the embedding cannot be used. */
int64_t decider_assign_unknown(struct decider *d, const struct decider_model *model, int64_t face,
                               int64_t unknown_person, const float *embedding);
/* Removes what decider_assign_unknown() kept of this face. */
void decider_forget(struct decider *d, int64_t face);

/* Does one slice of the update of cohort and calibration; does nothing while too little has changed. True: call again.
 * `threshold_lowered` is set when the last slice is done: faces that had no name may get one now. */
bool decider_refresh(struct decider *d, const struct decider_model *model, bool *threshold_lowered);

struct decider_state { /* of the model that was used last */
    int people;        /* with a template */
    int cohort;        /* faces */
    int unknown_people;
    bool calibrated;        /* the FPIR rule is in force */
    double score_threshold; /* of the FPIR rule, for an average face */
    double threshold;       /* distance, of the fixed and the fallback rule */
};
struct decider_state decider_state(const struct decider *d);

#endif
