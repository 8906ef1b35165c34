/* The AVX-512 VNNI form of scan.h's kernel. In a file of its own, so that a test can compile it with emulated
 * instructions and run it on a CPU that lacks them. */
#ifndef KITH_CORE_MATCH_SEARCH_SCAN_AVX512_H
#define KITH_CORE_MATCH_SEARCH_SCAN_AVX512_H

#include "core/match/search/scan_block.h"

#include <stddef.h>
#include <stdint.h>

uint32_t scan_avx512(const uint8_t *block, const int8_t *probe, size_t groups, const float norms[SCAN_BLOCK],
                     float factor, float limit, float out[SCAN_BLOCK]);

#endif
