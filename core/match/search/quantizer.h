/* The quantizer: templates in 8 bits a number, and a lower bound of their distance to a probe. One thread at a time.
 *
 * A template is taken relative to a centre and rotated (rotation.h). Every number is then coded as one of 256 equal
 * steps from -range to range, and decoded as the middle of its step. The codes are stored in two halves. A search reads
 * the upper 4 bits of every template (64 bytes for 128 dimensions), and the lower 4 bits only of the candidates that
 * the upper ones leave. The quantization error |template - decoded| of each template is stored, so by the
 * Cauchy-Schwarz inequality
 *
 *     |probe - template|^2 = |probe|^2 + |template|^2 - 2 probe·decoded - 2 probe·(template - decoded)
 *                         >= |probe|^2 + |template|^2 - 2 probe·decoded - 2 |probe| |template - decoded|
 *
 * is a lower bound. Templates whose bound exceeds the distance of the k-th person found so far cannot be in the result,
 * so the search is exact. A number outside the range only makes the error of its template larger.
 */
#ifndef KITH_CORE_MATCH_SEARCH_QUANTIZER_H
#define KITH_CORE_MATCH_SEARCH_QUANTIZER_H

#include "core/match/search/scan.h"

#include <stddef.h>
#include <stdint.h>

struct quantizer;

struct quantizer_probe {  /* a probe, prepared by quantizer_prepare() */
    int8_t *narrow;       /* owned: relative to the centre, rotated, in 8 bits */
    float error, length;  /* |probe - narrow|, and |narrow| */
    float factor, offset; /* squared distance = the scan's result + offset */
    float middle;         /* correction from upper halves to whole codes */
};

/* `centre`: about the mean of the templates, `dimension` floats, copied. `range`: largest absolute value of a rotated
 * number that is coded without clipping; about three standard deviations. */
struct quantizer *quantizer_new(int dimension, const float *centre, float range);
void quantizer_free(struct quantizer *c);
size_t quantizer_bytes(const struct quantizer *c);

void quantizer_add(struct quantizer *c, const float *row);
/* Moves the last template to `to`, and removes the last. */
void quantizer_move_last(struct quantizer *c, size_t to);

void quantizer_prepare(const struct quantizer *c, const float *probe, struct quantizer_probe *out);
void quantizer_probe_free(struct quantizer_probe *probe);

/* Scans the 16 templates of a block. Bit i of the result is 0 when template 16 × block + i is farther than `reach` (an
 * L2 distance). `about` is set to the scan's results, on the probe's own scale; bit i is set when about[i] is at most
 * quantizer_limit(). */
uint32_t quantizer_candidates(const struct quantizer *c, const struct quantizer_probe *probe, size_t block, float reach,
                              float about[SCAN_BLOCK]);
float quantizer_limit(const struct quantizer *c, const struct quantizer_probe *probe, size_t block, float reach);
/* Prefetches what quantizer_lower_bound() reads of template `i`. */
void quantizer_prefetch(const struct quantizer *c, size_t i);
/* Returns a lower bound of the L2 distance to template `i`. `about`: of quantizer_candidates(). */
float quantizer_lower_bound(const struct quantizer *c, const struct quantizer_probe *probe, size_t i, float about);

#endif
