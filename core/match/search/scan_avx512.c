#include "core/match/search/scan_avx512.h"

#include <string.h>

#if defined __x86_64__ && !defined AVX512 /* a test defines it, with emulated intrinsics */
#include <immintrin.h>
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vnni")))
#endif

#ifdef AVX512
enum { AHEAD = 4096 }; /* bytes; the hardware prefetcher stops at the end of a page */

AVX512 uint32_t scan_avx512(const uint8_t *block, const int8_t *probe, size_t groups, const float norms[SCAN_BLOCK],
                            float factor, float limit, float out[SCAN_BLOCK])
{
    const __m512i low = _mm512_set1_epi8(15);
    __m512i a = _mm512_setzero_si512(), b = _mm512_setzero_si512();
    __m512 values;

    for (size_t g = 0; g < groups; g++, block += 4 * SCAN_BLOCK, probe += 8) {
        __m512i x = _mm512_loadu_si512((const void *)block);
        int32_t first, second;

        _mm_prefetch((const char *)block + AHEAD, _MM_HINT_T0);
        memcpy(&first, probe, 4);
        memcpy(&second, probe + 4, 4);
        a = _mm512_dpbusd_epi32(a, _mm512_and_si512(x, low), _mm512_set1_epi32(first));
        b = _mm512_dpbusd_epi32(b, _mm512_and_si512(_mm512_srli_epi16(x, 4), low), _mm512_set1_epi32(second));
    }
    values = _mm512_sub_ps(_mm512_loadu_ps(norms),
                           _mm512_mul_ps(_mm512_set1_ps(factor), _mm512_cvtepi32_ps(_mm512_add_epi32(a, b))));
    _mm512_storeu_ps(out, values);
    return _mm512_cmp_ps_mask(values, _mm512_set1_ps(limit), _CMP_LE_OQ);
}
#endif
