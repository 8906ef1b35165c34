#include "core/match/search/scan.h"

#include "core/match/search/scan_avx512.h"

#include <string.h>

static uint32_t scan_plain(const uint8_t *block, const int8_t *probe, size_t groups, const float norms[SCAN_BLOCK],
                           float factor, float limit, float out[SCAN_BLOCK])
{
    int32_t sums[SCAN_BLOCK] = {0};

    for (size_t g = 0; g < groups; g++, block += 4 * SCAN_BLOCK, probe += 8)
        for (int i = 0; i < SCAN_BLOCK; i++)
            for (int k = 0; k < 4; k++)
                sums[i] += (block[i * 4 + k] & 15) * probe[k] + (block[i * 4 + k] >> 4) * probe[4 + k];
    for (int i = 0; i < SCAN_BLOCK; i++)
        out[i] = norms[i] - factor * (float)sums[i];
    return scan_below(out, limit);
}

static int32_t scan_row_plain(const uint8_t *row, size_t bytes, const int8_t *probe)
{
    int32_t sum = 0;

    for (size_t i = 0; i < bytes; i++)
        sum += (row[i] & 15) * probe[i] + (row[i] >> 4) * probe[bytes + i];
    return sum;
}

#ifdef __x86_64__
#include <immintrin.h>

enum { AHEAD = 4096 }; /* bytes; the hardware prefetcher stops at the end of a page */

/* 8 templates × 8 dimensions, summed in pairs. */
__attribute__((target("avx2"))) static __m256i pairs_avx2(__m256i codes, __m256i first, __m256i second)
{
    const __m256i low = _mm256_set1_epi8(15);

    return _mm256_add_epi16(_mm256_maddubs_epi16(_mm256_and_si256(codes, low), first),
                            _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(codes, 4), low), second));
}

/* Eight templates: out = norms - factor × sums, and which are at most `limit`. */
__attribute__((target("avx2"))) static inline uint32_t finish_avx2(__m256i sums, const float *norms, float factor,
                                                                   float limit, float *out)
{
    __m256 values =
        _mm256_sub_ps(_mm256_loadu_ps(norms), _mm256_mul_ps(_mm256_set1_ps(factor), _mm256_cvtepi32_ps(sums)));

    _mm256_storeu_ps(out, values);
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(values, _mm256_set1_ps(limit), _CMP_LE_OQ));
}

__attribute__((target("avx2"))) static uint32_t scan_avx2(const uint8_t *block, const int8_t *probe, size_t groups,
                                                          const float norms[SCAN_BLOCK], float factor, float limit,
                                                          float out[SCAN_BLOCK])
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
    return finish_avx2(a, norms, factor, limit, out) | finish_avx2(b, norms + 8, factor, limit, out + 8) << 8;
}

__attribute__((target("avx2"))) static int32_t row_avx2(const uint8_t *row, size_t bytes, const int8_t *probe)
{
    const size_t whole = bytes / 32 * 32;
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sums = _mm256_setzero_si256();
    __m128i half;
    int32_t rest = 0;

    for (size_t i = 0; i < whole; i += 32) {
        __m256i codes = _mm256_loadu_si256((const void *)(row + i));
        __m256i first = _mm256_loadu_si256((const void *)(probe + i));
        __m256i second = _mm256_loadu_si256((const void *)(probe + bytes + i));

        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs_avx2(codes, first, second), ones));
    }
    for (size_t i = whole; i < bytes; i++)
        rest += (row[i] & 15) * probe[i] + (row[i] >> 4) * probe[bytes + i];
    half = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    return rest + _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}
#endif

scan_fn scan_for(enum cpu_level level)
{
#ifdef __x86_64__
    if (level >= CPU_AVX512)
        return scan_avx512;
    if (level >= CPU_AVX2)
        return scan_avx2;
#endif
    (void)level;
    return scan_plain;
}

scan_row_fn scan_row_for(enum cpu_level level)
{
#ifdef __x86_64__
    if (level >= CPU_AVX2)
        return row_avx2;
#endif
    (void)level;
    return scan_row_plain;
}
