#include "actors/gallery/scan.h"

#include <stdbool.h>
#include <string.h>

static uint32_t scan_plain(const uint8_t *block, const int8_t *probe, size_t groups, const float norms[SCAN_BLOCK],
                           float factor, float limit)
{
    int32_t sums[SCAN_BLOCK] = {0};
    uint32_t near = 0;

    for (size_t g = 0; g < groups; g++, block += 4 * SCAN_BLOCK, probe += 8)
        for (int i = 0; i < SCAN_BLOCK; i++)
            for (int k = 0; k < 4; k++)
                sums[i] += (block[i * 4 + k] & 15) * probe[k] + (block[i * 4 + k] >> 4) * probe[4 + k];
    for (int i = 0; i < SCAN_BLOCK; i++)
        near |= (uint32_t)(norms[i] - factor * (float)sums[i] <= limit) << i;
    return near;
}

#ifdef __x86_64__
#include <immintrin.h>

/* Products of two neighbours are summed to 16 bits: at most 2 × 15 × 128, and twice that still fits. */
__attribute__((target("avx2"))) static uint32_t near_avx2(__m256i sums, const float *norms, float factor, float limit)
{
    __m256 d = _mm256_sub_ps(_mm256_loadu_ps(norms), _mm256_mul_ps(_mm256_set1_ps(factor), _mm256_cvtepi32_ps(sums)));

    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(d, _mm256_set1_ps(limit), _CMP_LE_OQ));
}

__attribute__((target("avx2"))) static uint32_t scan_avx2(const uint8_t *block, const int8_t *probe, size_t groups,
                                                          const float norms[SCAN_BLOCK], float factor, float limit)
{
    const __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
    __m256i a = _mm256_setzero_si256(), b = _mm256_setzero_si256();

    for (size_t g = 0; g < groups; g++, block += 4 * SCAN_BLOCK, probe += 8) {
        __m256i x = _mm256_loadu_si256((const void *)block), y = _mm256_loadu_si256((const void *)(block + 32));
        int32_t first, second;
        __m256i p, q;

        memcpy(&first, probe, 4);
        memcpy(&second, probe + 4, 4);
        p = _mm256_set1_epi32(first);
        q = _mm256_set1_epi32(second);
        a = _mm256_add_epi32(
            a,
            _mm256_madd_epi16(_mm256_add_epi16(_mm256_maddubs_epi16(_mm256_and_si256(x, low), p),
                                               _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(x, 4), low), q)),
                              ones));
        b = _mm256_add_epi32(
            b,
            _mm256_madd_epi16(_mm256_add_epi16(_mm256_maddubs_epi16(_mm256_and_si256(y, low), p),
                                               _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(y, 4), low), q)),
                              ones));
    }
    return near_avx2(a, norms, factor, limit) | near_avx2(b, norms + 8, factor, limit) << 8;
}

__attribute__((target("avx512f,avx512bw,avx512vnni"))) static uint32_t scan_vnni(const uint8_t *block,
                                                                                 const int8_t *probe, size_t groups,
                                                                                 const float norms[SCAN_BLOCK],
                                                                                 float factor, float limit)
{
    const __m512i low = _mm512_set1_epi8(15);
    __m512i a = _mm512_setzero_si512(), b = _mm512_setzero_si512();
    __m512 d;

    for (size_t g = 0; g < groups; g++, block += 4 * SCAN_BLOCK, probe += 8) {
        __m512i x = _mm512_loadu_si512((const void *)block);
        int32_t first, second;

        memcpy(&first, probe, 4);
        memcpy(&second, probe + 4, 4);
        a = _mm512_dpbusd_epi32(a, _mm512_and_si512(x, low), _mm512_set1_epi32(first));
        b = _mm512_dpbusd_epi32(b, _mm512_and_si512(_mm512_srli_epi16(x, 4), low), _mm512_set1_epi32(second));
    }
    d = _mm512_sub_ps(_mm512_loadu_ps(norms),
                      _mm512_mul_ps(_mm512_set1_ps(factor), _mm512_cvtepi32_ps(_mm512_add_epi32(a, b))));
    return _mm512_cmp_ps_mask(d, _mm512_set1_ps(limit), _CMP_LE_OQ);
}
#endif

static const struct {
    const char *name;
    scan_fn fn;
} scans[] = {/* the fastest first */
#ifdef __x86_64__
             {"avx512-vnni", scan_vnni},
             {"avx2", scan_avx2},
#endif
             {"plain", scan_plain}};

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

scan_fn scan_nth(int n)
{
    for (size_t i = 0; i < sizeof scans / sizeof scans[0]; i++)
        if (runs_here(i) && n-- == 0)
            return scans[i].fn;
    return NULL;
}

scan_fn scan_choose(const char **name)
{
    scan_fn best = scan_nth(0);

    for (size_t i = 0; name && i < sizeof scans / sizeof scans[0]; i++)
        if (scans[i].fn == best)
            *name = scans[i].name;
    return best;
}
