/* Who is it, or nobody we know? The rules by which a face gets a name.
 *
 *   fixed     KITH_THRESHOLD is given: the nearest template decides.
 *   careful   too few faces are known to tell what strangers look like: a fixed threshold well below the
 *             recogniser's own, and lower the more people there are.
 *   rate      KITH_FPIR: the score among the cohort (cohort.h) must be above what the best of all people
 *             reaches for a stranger in all but that share of the cases (calibrate.h). It follows from faces of this
 *             installation alone, and rises as the gallery grows.
 *
 * Under every rule a face that is nearer to a counter-example of a person than to the person is not that person, and
 * nobody is named beyond the recogniser's own threshold. One thread.
 */
#ifndef KITH_CORE_MATCH_POLICY_H
#define KITH_CORE_MATCH_POLICY_H

#include "core/base/arena.h"
#include "core/match/index.h"

#include <stdbool.h>

struct decider;

struct decider_policy {
    double threshold; /* below 0: none was given */
    double rate;      /* of strangers that may get a name; 0: the recogniser's own threshold decides */
    double quality;   /* faces below it get no name */
    int candidates, cohort, unknown_people;
    const char *folder; /* as of gallery_index_new() */
    size_t memory_max;
};

struct decider_model { /* what the recogniser says of its embeddings */
    const char *id;
    uint32_t metric;
    int dimension;
    double threshold;
};

struct decider *decider_new(const struct decider_policy *policy);
void decider_free(struct decider *d);
void decider_clear(struct decider *d); /* as new */
struct gallery_index *decider_index(struct decider *d);

/* Fills person, distance, similarity, candidates (the most similar first) and the reasons of `count` faces that
 * already carry their embeddings; those without one, or of another model, stay nobody's. They are searched for
 * together. What faces[i] points to afterwards is of arenas[i]. */
void decider_decide(struct decider *d, const struct decider_model *model, struct face *const *faces,
                    struct arena *const *arenas, int count);

/* Somebody said that this face is not that person: whether what is known of both still speaks for the name. */
bool decider_denies(struct decider *d, const struct decider_model *model, const struct face *face, int64_t person);

/* A face that nobody knows is remembered: so strangers are known again, and the cohort has its faces. `stranger`: which
 * one it is, 0 when that is not known yet. Returns which one it is: the one who was nearest, or a new one, called by
 * the face's own id. */
int64_t decider_assign_unknown(struct decider *d, const struct decider_model *model, int64_t face,
                               int64_t unknown_person, const float *embedding);
void decider_forget(struct decider *d, int64_t face);

/* Brings cohort and calibration up to date, a slice at a time. True: there is more to do. `threshold_lowered`, when it
 * is done: faces that had no name may have one now. */
bool decider_refresh(struct decider *d, const struct decider_model *model, bool *threshold_lowered);

struct decider_state { /* what is in force, for people and metrics */
    int people, cohort, unknown_people;
    bool calibrated;
    double score_threshold; /* the score */
    double threshold;       /* that is used without a score */
};
struct decider_state decider_state(const struct decider *d);

#endif
