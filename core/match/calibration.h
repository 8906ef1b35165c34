/* Calibration: the score threshold for a wanted false positive identification rate. Pure functions; any thread. */
#ifndef KITH_CORE_MATCH_CALIBRATION_H
#define KITH_CORE_MATCH_CALIBRATION_H

struct impostor {  /* a face whose person is not enrolled, or is left out */
    double best;   /* its largest normalised score (cohort.h) among all people */
    double rival;  /* its second largest; NAN: there is one person only */
    double alike;  /* the mean excess of the faces that are most alike; NAN: not known */
    double weight; /* how often this face's person is seen; above 0 */
    int face;      /* of the cohort */
};

struct calibration {
    double threshold; /* the score that an average face without a rival needs */
    double slope;     /* 0 to 1: so much of a deviation of `alike` from `mean` is added to it */
    double mean;      /* weighted mean of `alike` */
    double rival_max; /* a larger rival counts as this */
    double average;   /* the score that an impostor needs on average, rivals included */
};

/* Calibrates for a false positive identification rate (ISO/IEC 19795-1) of `rate`, in 0 to
 * 1: that share of the impostors shall exceed the score threshold, within each type of faces. It takes two steps.
 *
 * The first drops impostors that may show an enrolled person, one that was missed: their best score stands out from
 * their second best one. The gaps of impostors are about exponential (order statistics), so few are above 4 times their
 * mean, which is the median / ln 2. Returns how many are left, in front of `list`. */
int calibrate_begin(struct calibration *c, struct impostor *list, int count, double rate);

/* The best score, less a share of the second best: a face that is near to several people is hardly one of them. */
double calibration_excess(const struct calibration *c, double best, double rival);

/* The second step, with `alike` set. Types of faces differ in how easily they are taken for an enrolled person, and
 * `alike` is a noisy measure of it. The best linear prediction of a face's excess from it is a regression, whose slope
 * shrinks the measure towards the mean of all: the more, the less the neighbours of a face say about it (S. M. Stigler,
 * "A Galtonian Perspective on Shrinkage Estimators", Statistical Science 5, 1990). What the regression leaves is taken
 * to be distributed equally for all types.
 *
 * It is a maximum of many scores, whose distribution tends to Gumbel's, exp(-exp(-(s - mode) / scale)), for tails that
 * fall as fast as exponential or normal ones do (extreme value theory; E. J. Gumbel, "Statistics of Extremes", 1958).
 * It is fitted to the quartiles. Of a finite number of normal scores the tail is lighter, so the rate is met from
 * below. The observed tail is not used: it is contaminated by missed people, and cut off where faces got a name. */
void calibrate_end(struct calibration *c, const struct impostor *list, int count, double rate);

/* Returns the score that a face with this `alike` and this second best score needs; NAN: not known. */
double calibration_threshold(const struct calibration *c, double alike, double rival);

#endif
