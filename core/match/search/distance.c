#include "core/match/search/distance.h"

#include "core/base/cpu.h"
#include "core/match/face.h"

#include <math.h>

/* Both distances are sums over LANES (or 8) partial sums, added up in one fixed order: the plain form and the AVX2 form
 * execute the same operations, each rounded once, and give the same bits. */
enum { LANES = 16 };

/* The order in which AVX2 adds the partial sums. */
static float sum_of_lanes(const float lanes[static LANES])
{
    float eight[8];

    for (int k = 0; k < 8; k++)
        eight[k] = lanes[k] + lanes[k + 8];
    for (int k = 0; k < 4; k++)
        eight[k] += eight[k + 4];
    return (eight[0] + eight[2]) + (eight[1] + eight[3]);
}

static float squared_rest(const float *a, const float *b, int from, int n)
{
    float rest = 0;

    for (int i = from; i < n; i++)
        rest += (a[i] - b[i]) * (a[i] - b[i]);
    return rest;
}

static float squared_plain(const float *a, const float *b, int n)
{
    float lanes[LANES] = {0};
    int i = 0;

    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            lanes[k] += (a[i + k] - b[i + k]) * (a[i + k] - b[i + k]);
    return squared_rest(a, b, i, n) + sum_of_lanes(lanes);
}

/* Histograms have thousands of bins: runs of 256 are summed in single precision, the runs in double. */
enum { RUN = 256 };

static double chi_square_rest(const float *a, const float *b, int from, int n)
{
    double sum = 0;

    for (int i = from; i < n; i++) {
        double d = (double)a[i] - (double)b[i], s = (double)a[i] + (double)b[i];

        if (s > 0)
            sum += 2 * d * d / s;
    }
    return sum;
}

static double sum_of_run(const float lanes[static 8], double sum)
{
    for (int k = 0; k < 8; k++)
        sum += 2 * (double)lanes[k];
    return sum;
}

static double chi_square_plain(const float *a, const float *b, int n)
{
    double sum = 0;
    int i = 0;

    while (i + 8 <= n) {
        float run[8] = {0};

        for (int end = i + RUN < n ? i + RUN : n; i + 8 <= end; i += 8)
            for (int k = 0; k < 8; k++) {
                float d = a[i + k] - b[i + k], s = a[i + k] + b[i + k];

                run[k] += s > 0 ? d * d / s : 0;
            }
        sum = sum_of_run(run, sum);
    }
    return sum + chi_square_rest(a, b, i, n);
}

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static float squared_avx2(const float *a, const float *b, int n)
{
    __m256 sum = _mm256_setzero_ps(), more = _mm256_setzero_ps();
    float lanes[LANES];
    int i = 0;

    for (; i + LANES <= n; i += LANES) {
        __m256 d = _mm256_sub_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
        __m256 e = _mm256_sub_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8));

        sum = _mm256_add_ps(sum, _mm256_mul_ps(d, d));
        more = _mm256_add_ps(more, _mm256_mul_ps(e, e));
    }
    _mm256_storeu_ps(lanes, sum);
    _mm256_storeu_ps(lanes + 8, more);
    return squared_rest(a, b, i, n) + sum_of_lanes(lanes);
}

AVX2 static double chi_square_avx2(const float *a, const float *b, int n)
{
    double sum = 0;
    int i = 0;

    while (i + 8 <= n) {
        __m256 run = _mm256_setzero_ps();
        float lanes[8];

        for (int end = i + RUN < n ? i + RUN : n; i + 8 <= end; i += 8) {
            __m256 x = _mm256_loadu_ps(a + i), y = _mm256_loadu_ps(b + i);
            __m256 d = _mm256_sub_ps(x, y), s = _mm256_add_ps(x, y);
            __m256 positive = _mm256_cmp_ps(s, _mm256_setzero_ps(), _CMP_GT_OQ);

            run = _mm256_add_ps(run, _mm256_and_ps(positive, _mm256_div_ps(_mm256_mul_ps(d, d), s)));
        }
        _mm256_storeu_ps(lanes, run);
        sum = sum_of_run(lanes, sum);
    }
    return sum + chi_square_rest(a, b, i, n);
}
#endif

float embedding_squared(const float *a, const float *b, int dimension)
{
#ifdef __x86_64__
    if (cpu_level() >= CPU_AVX2)
        return squared_avx2(a, b, dimension);
#endif
    return squared_plain(a, b, dimension);
}

static double cosine(const float *a, const float *b, int n)
{
    double ab = 0, aa = 0, bb = 0;

    for (int i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0 && bb > 0 ? 1 - ab / sqrt(aa * bb) : 1;
}

static double chi_square(const float *a, const float *b, int n)
{
#ifdef __x86_64__
    if (cpu_level() >= CPU_AVX2)
        return chi_square_avx2(a, b, n);
#endif
    return chi_square_plain(a, b, n);
}

double embedding_distance(uint32_t metric, const float *a, const float *b, int dimension)
{
    if (metric == METRIC_COSINE)
        return cosine(a, b, dimension);
    if (metric == METRIC_CHI_SQUARE)
        return chi_square(a, b, dimension);
    return sqrt((double)embedding_squared(a, b, dimension));
}

double similarity_of(double distance, double threshold)
{
    return 1 / (1 + exp(8 * (distance / threshold - 1)));
}

bool embedding_is_sane(uint32_t metric, const float *e, int dimension)
{
    double sum = 0;

    for (int i = 0; i < dimension; i++)
        sum += (double)e[i] * (double)e[i]; /* a NaN or an infinity makes the sum not finite */
    return dimension > 0 && isfinite(sum) && (metric != METRIC_COSINE || sum > 0);
}
