/* The innermost loop of the search: 16 templates' 4-bit codes against a probe.
 *
 * Codes lie in blocks of 16 templates, so that one instruction works on all of them: for every 8 dimensions 64 bytes,
 * 4 for each template; the low halves of those bytes are dimensions 0 to 3, the high halves 4 to 7. A probe is 8-bit
 * numbers, dimensions in their order, padded with zeros to a multiple of 8.
 */
#ifndef KITH_CORE_MATCH_SEARCH_SCAN_H
#define KITH_CORE_MATCH_SEARCH_SCAN_H

#include "core/base/cpu.h"

#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { SCAN_BLOCK = 16 };

/* Measures a block's 16 templates: out[i] = norms[i] - factor × sum(code × probe). Returns which of them may be near:
 * bit i is set when out[i] <= limit. `groups`: dimensions / 8. */
typedef uint32_t (*scan_fn)(const uint8_t *block, const int8_t *probe, size_t groups, const float norms[SCAN_BLOCK],
                            float factor, float limit, float out[SCAN_BLOCK]);

/* Which are at most `limit`: bit i is set when values[i] is. */
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

/* The closer look, at one template's row of half bytes: the sum of code × probe. The low half of byte i is dimension i,
 * the high half dimension bytes + i. */
typedef int32_t (*scan_row_fn)(const uint8_t *row, size_t bytes, const int8_t *probe);

/* The fastest at that level of instructions, which the CPU must have. All levels give the same bits. */
scan_fn scan_for(enum cpu_level level);
scan_row_fn scan_row_for(enum cpu_level level);

#endif
