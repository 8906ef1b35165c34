/* The normalised score of a probe and a person: AS-norm over the cohort (cohort.h has the formula). One thread. */
#ifndef KITH_CORE_MATCH_SCORE_NORM_H
#define KITH_CORE_MATCH_SCORE_NORM_H

#include "core/match/cohort.h"
#include "core/match/template_set.h"

struct score_norm {
    double distance;  /* to the nearest template */
    double to_mean;   /* to the mean of the nearest consistent templates: the d of the formula */
    double score;     /* 0 when not `scored` */
    double per_score; /* so much smaller must `to_mean` be for a score that is larger by 1 */
    bool scored;
};

struct score_norm_probe { /* a probe, and what it is compared with; all borrowed */
    uint32_t metric;      /* enum match_metric */
    double same;          /* the recogniser's threshold: nearer embeddings are taken for one person's */
    struct template_set *people;
    struct cohort *cohort; /* NULL: no scores */
    const float *probe;
    struct normal probe_side; /* the probe's distances to the cohort; set by score_norm_prepare() */
    bool measured;            /* probe_side is valid */
};

/* A cohort face nearer than this share of the recogniser's threshold may show the same person and is left out. An
 * empirical value. */
#define SCORE_NORM_SAME 0.92

/* Measures the probe against the cohort, once for any number of people. */
void score_norm_prepare(struct score_norm_probe *v);
/* Returns the score of the probe and the person of `hit`. */
struct score_norm score_norm_person(const struct score_norm_probe *v, const struct hit *hit);
/* Returns the largest `to_mean` with which the score would reach the score threshold. */
double score_norm_distance(const struct score_norm *norm, double score_threshold);

#endif
