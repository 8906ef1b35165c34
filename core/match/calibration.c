#include "core/match/calibration.h"

#include "core/base/must.h"

#include <math.h>
#include <stdlib.h>

/* Of the second best score, so much is added to the threshold. An empirical value: less leaves more wrong names in
 * types of faces that are confused, more costs names of known people. */
#define RIVAL_SHARE 0.3

static double calibration_normal_tail(double p)
{
    static const double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                               -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
    static const double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                               3.754408661907416e+00};
    double q = sqrt(-2 * log(p));

    return (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
           ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
}

double normal_quantile(double p)
{
    static const double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                               1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
    static const double b[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02,
                               6.680131188771972e+01, -1.328068155288572e+01};
    double q = p - 0.5, r = q * q;

    if (p < 0.02425)
        return calibration_normal_tail(p);
    if (p > 1 - 0.02425)
        return -calibration_normal_tail(1 - p);
    return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
           (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

double calibration_excess(const struct calibration *c, double best, double rival)
{
    return isnan(rival) ? best : best - RIVAL_SHARE * fmin(rival, c->rival_max);
}

static double calibration_offset(const struct calibration *c, double alike)
{
    return isnan(alike) ? 0 : c->slope * (alike - c->mean);
}

double calibration_threshold(const struct calibration *c, double alike, double rival)
{
    return c->threshold + calibration_offset(c, alike) - calibration_excess(c, 0, rival);
}

/* --- quantiles --- */

struct weighted {
    double value, weight;
};

static int weighted_compare(const void *a, const void *b)
{
    double d = ((const struct weighted *)a)->value - ((const struct weighted *)b)->value;

    return d < 0 ? -1 : d > 0;
}

/* Linear between the values; each lies at the middle of its weight. */
static double calibration_quantile(const struct weighted *sorted, int count, double q)
{
    double total = 0, at, before = 0;
    int i = 0;

    for (int k = 0; k < count; k++)
        total += sorted[k].weight;
    at = q * total;
    while (i + 1 < count && before + sorted[i].weight + sorted[i + 1].weight / 2 <= at)
        before += sorted[i++].weight;
    before += sorted[i].weight / 2;
    if (i + 1 == count || at <= before)
        return sorted[i].value;
    return sorted[i].value +
           (sorted[i + 1].value - sorted[i].value) * (at - before) / ((sorted[i].weight + sorted[i + 1].weight) / 2);
}

/* Sorts `list`. */
static double calibration_tail(struct weighted *list, int count, double people, double rate)
{
    double low, high, normal_low, normal_high, gumbel_low = -log(-log(0.25)), gumbel_high = -log(-log(0.75));

    qsort(list, (size_t)count, sizeof *list, weighted_compare);
    low = calibration_quantile(list, count, 0.25);
    high = calibration_quantile(list, count, 0.75);
    normal_low = normal_quantile(pow(0.25, 1 / people));
    normal_high = normal_quantile(pow(0.75, 1 / people));
    return low + (high - low) / 2 *
                     ((normal_quantile(pow(1 - rate, 1 / people)) - normal_low) / (normal_high - normal_low) +
                      (-log(-log(1 - rate)) - gumbel_low) / (gumbel_high - gumbel_low));
}

static double calibration_median(struct weighted *list, int count)
{
    qsort(list, (size_t)count, sizeof *list, weighted_compare);
    return calibration_quantile(list, count, 0.5);
}

/* --- calibration --- */

static int calibration_drop_matches(struct impostor *list, int count, struct weighted *scratch)
{
    double most;
    int gaps = 0, kept = 0;

    for (int i = 0; i < count; i++)
        if (!isnan(list[i].rival))
            scratch[gaps++] = (struct weighted){list[i].best - list[i].rival, list[i].weight};
    if (!gaps)
        return count;
    most = 4 * calibration_median(scratch, gaps) / log(2);
    for (int i = 0; i < count; i++)
        if (isnan(list[i].rival) || list[i].best - list[i].rival <= most)
            list[kept++] = list[i];
    return kept;
}

int calibrate_begin(struct calibration *c, struct impostor *list, int count, double people, double rate)
{
    struct weighted *scratch = must(malloc((size_t)count * sizeof *scratch));

    count = calibration_drop_matches(list, count, scratch);
    for (int i = 0; i < count; i++)
        scratch[i] = (struct weighted){list[i].best, list[i].weight};
    *c = (struct calibration){.rival_max = calibration_tail(scratch, count, people, rate)};
    free(scratch);
    return count;
}

struct moments {                  /* weighted */
    double weight, excess, alike; /* sum of the weights, means */
    double covariance, variance;
};

static struct moments calibration_moments(const struct calibration *c, const struct impostor *list, int count)
{
    struct moments m = {0};

    for (int i = 0; i < count; i++)
        if (!isnan(list[i].alike)) {
            m.weight += list[i].weight;
            m.excess += list[i].weight * calibration_excess(c, list[i].best, list[i].rival);
            m.alike += list[i].weight * list[i].alike;
        }
    if (m.weight > 0) {
        m.excess /= m.weight;
        m.alike /= m.weight;
    }
    for (int i = 0; i < count; i++)
        if (!isnan(list[i].alike)) {
            double alike = list[i].alike - m.alike;

            m.covariance += list[i].weight * alike * (calibration_excess(c, list[i].best, list[i].rival) - m.excess);
            m.variance += list[i].weight * alike * alike;
        }
    return m;
}

static double calibration_average(const struct calibration *c, const struct impostor *list, int count)
{
    double sum = 0, weight = 0;

    for (int i = 0; i < count; i++) {
        sum += list[i].weight * calibration_threshold(c, list[i].alike, list[i].rival);
        weight += list[i].weight;
    }
    return sum / weight;
}

void calibrate_end(struct calibration *c, const struct impostor *list, int count, double people, double rate)
{
    struct weighted *left = must(malloc((size_t)count * sizeof *left));
    struct moments m = calibration_moments(c, list, count);

    c->mean = m.alike;
    c->slope = m.variance > 0 ? fmin(1, fmax(0, m.covariance / m.variance)) : 0;
    for (int i = 0; i < count; i++)
        left[i] = (struct weighted){
            calibration_excess(c, list[i].best, list[i].rival) - calibration_offset(c, list[i].alike), list[i].weight};
    c->threshold = calibration_tail(left, count, people, rate);
    c->average = calibration_average(c, list, count);
    free(left);
}
