/* The innermost loop of the search: 16 templates' 4-bit codes against a probe.
 *
 * Codes lie in blocks of 16 templates, so that one instruction works on all of them: for every 8 dimensions 64 bytes,
 * 4 for each template; the low halves of those bytes are dimensions 0 to 3, the high halves 4 to 7. A probe is 8-bit
 * numbers, dimensions in their order, padded with zeros to a multiple of 8.
 */
#ifndef KITH_ACTORS_GALLERY_SCAN_H
#define KITH_ACTORS_GALLERY_SCAN_H

#include <stddef.h>
#include <stdint.h>

enum { SCAN_BLOCK = 16 };

/* Which of a block's 16 templates may be near: bit i is set when norms[i] - factor × sum(code × probe) <= limit.
 * `groups`: dimensions / 8. */
typedef uint32_t (*scan_fn)(const uint8_t *block, const int8_t *probe, size_t groups, const float norms[SCAN_BLOCK],
                            float factor, float limit);

/* The same numbers, norms[i] - factor × sum, themselves. */
typedef void (*scan_measure_fn)(const uint8_t *block, const int8_t *probe, size_t groups, const float norms[SCAN_BLOCK],
                                float factor, float out[SCAN_BLOCK]);

/* The next closer look, at one template: the sum of (code - probe)^2. `upper` is its place in the block; `lower` its
 * own row, 4 bytes for every 8 dimensions, halves as above; a code is upper × 16 + lower. `probe`: groups × 8 numbers.
 */
typedef float (*scan_fine_fn)(const uint8_t *upper, const uint8_t *lower, size_t groups, const float *probe);
scan_fine_fn scan_fine_nth(int n);

/* Each that this CPU can run, the fastest (AVX-512 VNNI, AVX2, plain C) first: the n-th, or NULL when there are no
 * more. */
scan_fn scan_nth(int n);
scan_measure_fn scan_measure_nth(int n);

#endif
