#include "core/match/calibration.h"

#include "core/base/must.h"

#include <math.h>
#include <stdlib.h>

/* Of the second best score, so much is added to the threshold. An empirical value: less leaves more wrong names in
 * types of faces that are confused, more costs names of known people. */
#define RIVAL_SHARE 0.3

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

/* The (1 - rate) quantile of Gumbel's distribution with the quartiles of the values. Sorts `list`. */
static double calibration_tail(struct weighted *list, int count, double rate)
{
    const double first = -log(-log(0.25)), third = -log(-log(0.75));
    double low, high;

    qsort(list, (size_t)count, sizeof *list, weighted_compare);
    low = calibration_quantile(list, count, 0.25);
    high = calibration_quantile(list, count, 0.75);
    return low + (high - low) * (-log(-log(1 - rate)) - first) / (third - first);
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

int calibrate_begin(struct calibration *c, struct impostor *list, int count, double rate)
{
    struct weighted *scratch = must(malloc((size_t)count * sizeof *scratch));

    count = calibration_drop_matches(list, count, scratch);
    for (int i = 0; i < count; i++)
        scratch[i] = (struct weighted){list[i].best, list[i].weight};
    *c = (struct calibration){.rival_max = calibration_tail(scratch, count, rate)};
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

void calibrate_end(struct calibration *c, const struct impostor *list, int count, double rate)
{
    struct weighted *left = must(malloc((size_t)count * sizeof *left));
    struct moments m = calibration_moments(c, list, count);

    c->mean = m.alike;
    c->slope = m.variance > 0 ? fmin(1, fmax(0, m.covariance / m.variance)) : 0;
    for (int i = 0; i < count; i++)
        left[i] = (struct weighted){
            calibration_excess(c, list[i].best, list[i].rival) - calibration_offset(c, list[i].alike), list[i].weight};
    c->threshold = calibration_tail(left, count, rate);
    c->average = calibration_average(c, list, count);
    free(left);
}
