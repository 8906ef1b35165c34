/* Calibration: the score threshold for a wanted false positive identification rate. Pure functions; any thread. */
#ifndef KITH_CORE_MATCH_CALIBRATION_H
#define KITH_CORE_MATCH_CALIBRATION_H

/* Returns the score threshold that the best of `people` candidates exceeds for a share `rate` of all impostors (faces
 * of people who are not enrolled). `rate` is the false positive identification rate of ISO/IEC 19795-1, in 0 to 1.
 *
 * `best`: for `count` impostor faces the largest score among all people; sorted in place. Normalised scores (cohort.h)
 * of one impostor are about normal, so the maximum of n independent ones has the distribution function
 * Phi((s - mean) / deviation)^n (order statistics). The two parameters are fitted to the quartiles of `best`, and the
 * threshold is the (1 - rate) quantile of that distribution. The tail of `best` itself is not used: it is contaminated
 * by genuine matches, faces of enrolled people that were missed. */
double calibrate_score(double *best, int count, double people, double rate);

/* The inverse of the normal distribution function, for 0 < p < 1. P. J. Acklam's rational approximation ("An algorithm
 * for computing the inverse normal cumulative distribution function", 2003), relative error below 1.2e-9. */
double normal_quantile(double p);

#endif
