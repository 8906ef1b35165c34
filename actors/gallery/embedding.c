#include "actors/gallery/embedding.h"

#include "plugins/recognizer.h"

#include <math.h>

static double chi_square_plain(const float *a, const float *b, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++) {
        double d = (double)a[i] - (double)b[i], s = (double)a[i] + (double)b[i];

        if (s > 0)
            sum += 2 * d * d / s;
    }
    return sum;
}

#ifdef __x86_64__
#include <immintrin.h>

__attribute__((target("avx2,fma"))) static float squared_avx2(const float *a, const float *b, int n)
{
    __m256 sum = _mm256_setzero_ps(), more = _mm256_setzero_ps();
    __m128 half;
    float rest = 0;
    int i = 0;

    for (; i + 16 <= n; i += 16) {
        __m256 d = _mm256_sub_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
        __m256 e = _mm256_sub_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8));

        sum = _mm256_fmadd_ps(d, d, sum);
        more = _mm256_fmadd_ps(e, e, more);
    }
    for (; i < n; i++)
        rest += (a[i] - b[i]) * (a[i] - b[i]);
    sum = _mm256_add_ps(sum, more);
    half = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    half = _mm_add_ss(half, _mm_movehdup_ps(half));
    return rest + _mm_cvtss_f32(half);
}
#endif

#ifdef __x86_64__
/* Histograms have thousands of parts: sums of 256 in single precision, those in double. */
__attribute__((target("avx2,fma"))) static double chi_square_avx2(const float *a, const float *b, int n)
{
    enum { RUN = 256 };
    double sum = 0;
    int i = 0;

    while (i + 8 <= n) {
        __m256 run = _mm256_setzero_ps();
        float lanes[8];

        for (int end = i + RUN < n ? i + RUN : n; i + 8 <= end; i += 8) {
            __m256 x = _mm256_loadu_ps(a + i), y = _mm256_loadu_ps(b + i);
            __m256 d = _mm256_sub_ps(x, y), s = _mm256_add_ps(x, y);
            __m256 there = _mm256_cmp_ps(s, _mm256_setzero_ps(), _CMP_GT_OQ);

            run = _mm256_add_ps(run, _mm256_and_ps(there, _mm256_div_ps(_mm256_mul_ps(d, d), s)));
        }
        _mm256_storeu_ps(lanes, run);
        for (int k = 0; k < 8; k++)
            sum += 2 * (double)lanes[k];
    }
    return sum + chi_square_plain(a + i, b + i, n - i);
}
#endif

/* Several sums at once, so that the additions need not wait for each other. */
static float squared_plain(const float *a, const float *b, int n)
{
    float sums[8] = {0}, sum = 0;
    int i = 0;

    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) {
            float d = a[i + k] - b[i + k];

            sums[k] += d * d;
        }
    for (; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    for (int k = 0; k < 8; k++)
        sum += sums[k];
    return sum;
}

float embedding_squared(const float *a, const float *b, int dimension)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
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
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return chi_square_avx2(a, b, n);
#endif
    return chi_square_plain(a, b, n);
}

double embedding_distance(uint32_t metric, const float *a, const float *b, int dimension)
{
    if (metric == KITH_METRIC_COSINE)
        return cosine(a, b, dimension);
    if (metric == KITH_METRIC_CHI_SQUARE)
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
        sum += (double)e[i] * (double)e[i]; /* one that is not finite makes the sum so */
    return dimension > 0 && isfinite(sum) && (metric != KITH_METRIC_COSINE || sum > 0);
}
