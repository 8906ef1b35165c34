/* The innermost loop of the search: dot products of a probe and the 4-bit codes of 16 templates. Any thread.
 *
 * A block holds 16 templates, so that one instruction works on all of them. It has 64 bytes for every 8 dimensions, 4
 * for each template; the low halves of those bytes are dimensions 0 to 3, the high halves 4 to 7. A probe has 8-bit
 * numbers, in the order of the dimensions, padded with zeros to a multiple of 8.
 */
#ifndef KITH_CORE_MATCH_SEARCH_SCAN_H
#define KITH_CORE_MATCH_SEARCH_SCAN_H

#include "core/base/cpu.h"
#include "core/match/search/scan_block.h"

#include <stddef.h>
#include <stdint.h>

/* Sets out[i] = norms[i] - factor × sum(code × probe) for the 16 templates of a block. Returns a mask: bit i is set
 * when out[i] <= limit. `groups`: dimensions / 8. */
typedef uint32_t (*scan_fn)(const uint8_t *block, const int8_t *probe, size_t groups, const float norms[SCAN_BLOCK],
                            float factor, float limit, float out[SCAN_BLOCK]);

/* Returns sum(code × probe) of one template's row of half bytes. The low half of byte i is dimension i,
 * the high half dimension bytes + i. */
typedef int32_t (*scan_row_fn)(const uint8_t *row, size_t bytes, const int8_t *probe);

/* The fastest kernel for a level of instructions, which the CPU must have. All levels give the same bits. */
scan_fn scan_for(enum cpu_level level);
scan_row_fn scan_row_for(enum cpu_level level);

#endif
