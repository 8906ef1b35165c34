#include "core/match/calibration.h"

#include <math.h>
#include <stdlib.h>

static double tail(double p)
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
        return tail(p);
    if (p > 1 - 0.02425)
        return -tail(1 - p);
    return (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
           (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

static int ascending(const void *a, const void *b)
{
    double d = *(const double *)a - *(const double *)b;

    return d < 0 ? -1 : d > 0;
}

static double quantile(const double *sorted, int count, double q)
{
    double at = q * (count - 1);
    int i = (int)at;

    return i + 1 < count ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[count - 1];
}

double calibrate_score(double *best, int count, double people, double rate)
{
    double low, high, at_low, at_high, slope;

    qsort(best, (size_t)count, sizeof *best, ascending);
    low = quantile(best, count, 0.25);
    high = quantile(best, count, 0.75);
    at_low = normal_quantile(pow(0.25, 1 / people));
    at_high = normal_quantile(pow(0.75, 1 / people));
    slope = (high - low) / (at_high - at_low);
    return low + slope * (normal_quantile(pow(1 - rate, 1 / people)) - at_low);
}
