#include "actors/gallery/scan.h"

#include <stdbool.h>
#include <string.h>

static void measure_plain(const uint8_t *block, const int8_t *probe, size_t groups, const float norms[SCAN_BLOCK],
                          float factor, float out[SCAN_BLOCK])
{
    int32_t sums[SCAN_BLOCK] = {0};

    for (size_t g = 0; g < groups; g++, block += 4 * SCAN_BLOCK, probe += 8)
        for (int i = 0; i < SCAN_BLOCK; i++)
            for (int k = 0; k < 4; k++)
                sums[i] += (block[i * 4 + k] & 15) * probe[k] + (block[i * 4 + k] >> 4) * probe[4 + k];
    for (int i = 0; i < SCAN_BLOCK; i++)
        out[i] = norms[i] - factor * (float)sums[i];
}

static uint32_t scan_plain(const uint8_t *block, const int8_t *probe, size_t groups, const float norms[SCAN_BLOCK],
                           float factor, float limit)
{
    float values[SCAN_BLOCK];
    uint32_t near = 0;

    measure_plain(block, probe, groups, norms, factor, values);
    for (int i = 0; i < SCAN_BLOCK; i++)
        near |= (uint32_t)(values[i] <= limit) << i;
    return near;
}

/* Eight codes, one a byte, in the order of their dimensions. */
static uint64_t codes_of(const uint8_t *upper, const uint8_t *lower)
{
    const uint32_t low = 0x0f0f0f0fu;
    uint32_t u, l;

    memcpy(&u, upper, 4);
    memcpy(&l, lower, 4);
    return ((u & low) << 4 | (l & low)) | (uint64_t)((u & ~low) | (l >> 4 & low)) << 32;
}

static float fine_plain(const uint8_t *upper, const uint8_t *lower, size_t groups, const float *probe)
{
    float sums[8] = {0}, sum = 0;

    for (size_t g = 0; g < groups; g++, upper += 4 * SCAN_BLOCK, lower += 4, probe += 8) {
        uint64_t codes = codes_of(upper, lower);

        for (int k = 0; k < 8; k++) {
            float x = (float)(codes >> (8 * k) & 255) - probe[k];

            sums[k] += x * x;
        }
    }
    for (int k = 0; k < 8; k++)
        sum += sums[k];
    return sum;
}

#ifdef __x86_64__
#include <immintrin.h>

__attribute__((target("avx2,fma"))) static float fine_avx2(const uint8_t *upper, const uint8_t *lower, size_t groups,
                                                           const float *probe)
{
    __m256 sum = _mm256_setzero_ps();
    __m128 half;

    for (size_t g = 0; g < groups; g++, upper += 4 * SCAN_BLOCK, lower += 4, probe += 8) {
        __m256i codes = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)codes_of(upper, lower)));
        __m256 x = _mm256_sub_ps(_mm256_cvtepi32_ps(codes), _mm256_loadu_ps(probe));

        sum = _mm256_fmadd_ps(x, x, sum);
    }
    half = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

enum { AHEAD = 4096 }; /* bytes: the processor does not look beyond a page by itself */

/* 8 templates × 8 dimensions, summed in pairs. */
__attribute__((target("avx2"))) static __m256i pairs_avx2(__m256i codes, __m256i first, __m256i second)
{
    const __m256i low = _mm256_set1_epi8(15);

    return _mm256_add_epi16(_mm256_maddubs_epi16(_mm256_and_si256(codes, low), first),
                            _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(codes, 4), low), second));
}

/* norms - factor × sum of a block, eight templates each. */
__attribute__((target("avx2"), always_inline)) static inline void values_avx2(const uint8_t *block, const int8_t *probe,
                                                                              size_t groups,
                                                                              const float norms[SCAN_BLOCK],
                                                                              float factor, __m256 out[2])
{
    enum { TOGETHER = 4 }; /* 4 × 4 × 15 × 127 still fits into 16 bits */
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i a = _mm256_setzero_si256(), b = _mm256_setzero_si256();

    for (size_t g = 0; g < groups; g += TOGETHER) {
        __m256i c = _mm256_setzero_si256(), d = _mm256_setzero_si256();

        for (size_t k = g; k < g + TOGETHER && k < groups; k++, block += 4 * SCAN_BLOCK, probe += 8) {
            int32_t words[2];
            __m256i p, q;

            memcpy(words, probe, 8);
            p = _mm256_set1_epi32(words[0]);
            q = _mm256_set1_epi32(words[1]);
            _mm_prefetch((const char *)block + AHEAD, _MM_HINT_T0);
            c = _mm256_add_epi16(c, pairs_avx2(_mm256_loadu_si256((const void *)block), p, q));
            d = _mm256_add_epi16(d, pairs_avx2(_mm256_loadu_si256((const void *)(block + 32)), p, q));
        }
        a = _mm256_add_epi32(a, _mm256_madd_epi16(c, ones));
        b = _mm256_add_epi32(b, _mm256_madd_epi16(d, ones));
    }
    out[0] = _mm256_sub_ps(_mm256_loadu_ps(norms), _mm256_mul_ps(_mm256_set1_ps(factor), _mm256_cvtepi32_ps(a)));
    out[1] = _mm256_sub_ps(_mm256_loadu_ps(norms + 8), _mm256_mul_ps(_mm256_set1_ps(factor), _mm256_cvtepi32_ps(b)));
}

__attribute__((target("avx2"))) static uint32_t scan_avx2(const uint8_t *block, const int8_t *probe, size_t groups,
                                                          const float norms[SCAN_BLOCK], float factor, float limit)
{
    __m256 values[2];

    values_avx2(block, probe, groups, norms, factor, values);
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(values[0], _mm256_set1_ps(limit), _CMP_LE_OQ)) |
           (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(values[1], _mm256_set1_ps(limit), _CMP_LE_OQ)) << 8;
}

__attribute__((target("avx2"))) static void measure_avx2(const uint8_t *block, const int8_t *probe, size_t groups,
                                                         const float norms[SCAN_BLOCK], float factor,
                                                         float out[SCAN_BLOCK])
{
    __m256 values[2];

    values_avx2(block, probe, groups, norms, factor, values);
    _mm256_storeu_ps(out, values[0]);
    _mm256_storeu_ps(out + 8, values[1]);
}

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vnni")))

VNNI static inline __m512 values_vnni(const uint8_t *block, const int8_t *probe, size_t groups,
                                      const float norms[SCAN_BLOCK], float factor)
{
    const __m512i low = _mm512_set1_epi8(15);
    __m512i a = _mm512_setzero_si512(), b = _mm512_setzero_si512();

    for (size_t g = 0; g < groups; g++, block += 4 * SCAN_BLOCK, probe += 8) {
        __m512i x = _mm512_loadu_si512((const void *)block);
        int32_t first, second;

        _mm_prefetch((const char *)block + AHEAD, _MM_HINT_T0);
        memcpy(&first, probe, 4);
        memcpy(&second, probe + 4, 4);
        a = _mm512_dpbusd_epi32(a, _mm512_and_si512(x, low), _mm512_set1_epi32(first));
        b = _mm512_dpbusd_epi32(b, _mm512_and_si512(_mm512_srli_epi16(x, 4), low), _mm512_set1_epi32(second));
    }
    return _mm512_sub_ps(_mm512_loadu_ps(norms),
                         _mm512_mul_ps(_mm512_set1_ps(factor), _mm512_cvtepi32_ps(_mm512_add_epi32(a, b))));
}

VNNI static uint32_t scan_vnni(const uint8_t *block, const int8_t *probe, size_t groups, const float norms[SCAN_BLOCK],
                               float factor, float limit)
{
    return _mm512_cmp_ps_mask(values_vnni(block, probe, groups, norms, factor), _mm512_set1_ps(limit), _CMP_LE_OQ);
}

VNNI static void measure_vnni(const uint8_t *block, const int8_t *probe, size_t groups, const float norms[SCAN_BLOCK],
                              float factor, float out[SCAN_BLOCK])
{
    _mm512_storeu_ps(out, values_vnni(block, probe, groups, norms, factor));
}
#endif

static const struct {
    const char *name;
    scan_fn fn;
    scan_measure_fn measure;
} scans[] = {/* the fastest first */
#ifdef __x86_64__
             {"avx512-vnni", scan_vnni, measure_vnni},
             {"avx2", scan_avx2, measure_avx2},
#endif
             {"plain", scan_plain, measure_plain}};

static bool runs_here(size_t i)
{
#ifdef __x86_64__
    if (scans[i].fn == scan_vnni)
        return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw");
    if (scans[i].fn == scan_avx2)
        return __builtin_cpu_supports("avx2");
#endif
    return scans[i].fn == scan_plain;
}

static int find_nth(int n)
{
    for (size_t i = 0; i < sizeof scans / sizeof scans[0]; i++)
        if (runs_here(i) && n-- == 0)
            return (int)i;
    return -1;
}

scan_fn scan_nth(int n)
{
    int i = find_nth(n);

    return i < 0 ? NULL : scans[i].fn;
}

scan_measure_fn scan_measure_nth(int n)
{
    int i = find_nth(n);

    return i < 0 ? NULL : scans[i].measure;
}

scan_fine_fn scan_fine_nth(int n)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && n-- == 0)
        return fine_avx2;
#endif
    return n == 0 ? fine_plain : NULL;
}
