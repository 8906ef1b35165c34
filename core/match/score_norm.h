/* How like a person a probe is: the distance to what the person looks like, and the score among the cohort. One
 * thread. */
#ifndef KITH_CORE_MATCH_SCORE_NORM_H
#define KITH_CORE_MATCH_SCORE_NORM_H

#include "core/match/cohort.h"
#include "core/match/template_set.h"

struct score_norm {
    double distance;  /* to the nearest template */
    double to_mean;   /* to the mean of the nearest templates that are alike: what the score is of */
    double score;     /* cohort.h; 0 without a cohort */
    double threshold; /* the largest `to_mean` that would be enough for `score_threshold` */
    bool scored;
};

struct score_norm_probe { /* from where it is looked at: a probe and what it is compared with */
    uint32_t metric;
    double same; /* the recogniser's threshold: templates nearer than this to each other are alike */
    struct template_set *people;
    struct cohort *cohort; /* NULL: no score */
    const float *probe;
    struct normal probe_side; /* of the probe's, by score_norm_prepare */
    bool measured;
};

/* A cohort's face nearer than this share of the threshold may be the same person. */
#define SCORE_NORM_SAME 0.92

/* Measures the probe; the view is then good for any number of people. */
void score_norm_prepare(struct score_norm_probe *v);
/* Of the person of a hit. `score_threshold`: the score that counts, for `threshold`. */
struct score_norm score_norm_person(const struct score_norm_probe *v, const struct hit *hit, double score_threshold);

#endif
