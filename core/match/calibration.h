/* How large a likeness must be so that only so many strangers get a name. Pure functions. */
#ifndef KITH_CORE_MATCH_CALIBRATION_H
#define KITH_CORE_MATCH_CALIBRATION_H

/* The score that the best of `people` candidates of a stranger stays below in all but `rate` of the cases.
 *
 * `best`: for `count` faces of strangers each the largest score among the people (it is sorted in place). The scores
 * are about normal by their making, so the largest of n is distributed as the n-th power of a normal distribution;
 * its two parameters come from the quartiles of what was seen, and the tail from the formula. The tail itself is not
 * looked at: among the faces nobody knows there are some of people who are known and were missed, and those sit there.
 */
double calibrate_score(double *best, int count, double people, double rate);

/* The inverse of the normal distribution: P. J. Acklam's rational approximation, relative error below 1.2e-9. */
double normal_quantile(double p);

#endif
