/* What all kernels of scan.h share: the size of a block, and the test which of its values are at most a limit. */
#ifndef KITH_CORE_MATCH_SEARCH_SCAN_BLOCK_H
#define KITH_CORE_MATCH_SEARCH_SCAN_BLOCK_H

#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { SCAN_BLOCK = 16 }; /* templates */

/* Returns a mask: bit i is set when values[i] <= limit. */
static inline uint32_t scan_below(const float values[SCAN_BLOCK], float limit)
{
    uint32_t below = 0;

#ifdef __SSE2__
    for (int i = 0; i < SCAN_BLOCK; i += 4)
        below |= (uint32_t)_mm_movemask_ps(_mm_cmple_ps(_mm_loadu_ps(values + i), _mm_set1_ps(limit))) << i;
#else
    for (int i = 0; i < SCAN_BLOCK; i++)
        below |= (uint32_t)(values[i] <= limit) << i;
#endif
    return below;
}

#endif
