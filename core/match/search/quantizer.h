/* Templates in 8 bits a number, in two halves: what a search can decide without looking at the numbers themselves.
 *
 * Templates are taken relative to a centre and rotated first (rotation.h). Every number x is then the middle of one of
 * 256 steps from -range to range. The upper 4 bits alone are coarser steps; they are what a search reads of everybody
 * (64 bytes for 128 dimensions), the lower 4 bits only of those who may be near. For each the distance between the
 * template and what its code stands for is known, so by
 *
 *     |probe - template|^2 = |probe|^2 + |template|^2 - 2 probe·decoded - 2 probe·(template - decoded)
 *                         >= |probe|^2 + |template|^2 - 2 probe·decoded - 2 |probe| |template - decoded|
 *
 * who is farther than that from being near is left out for certain: the search is exact. A number outside the range
 * only makes its template's error larger. One thread.
 */
#ifndef KITH_CORE_MATCH_SEARCH_QUANTIZER_H
#define KITH_CORE_MATCH_SEARCH_QUANTIZER_H

#include "core/match/search/scan.h"

#include <stddef.h>
#include <stdint.h>

struct quantizer;

struct quantizer_probe {  /* a probe, made ready for the search; of quantizer_prepare */
    int8_t *narrow;       /* relative to the centre and rotated, in 8 bits */
    float error, length;  /* of `narrow`, and |narrow| */
    float factor, offset; /* from what a scan measures to a square of a distance */
    float middle;         /* and from upper halves to whole codes */
};

/* `centre`: about the mean of the templates; `range`: of a number of theirs, relative to it and rotated, so that each
 * dimension has the same: three standard deviations or so are worth their steps. */
struct quantizer *quantizer_new(int dimension, const float *centre, float range);
void quantizer_free(struct quantizer *c);
size_t quantizer_bytes(const struct quantizer *c);

void quantizer_add(struct quantizer *c, const float *row);
/* `to` becomes what the last one is, which goes. */
void quantizer_move_last(struct quantizer *c, size_t to);

void quantizer_prepare(const struct quantizer *c, const float *probe, struct quantizer_probe *out);
void quantizer_probe_free(struct quantizer_probe *probe);

/* Of the templates 16 × block and the 15 after it: bit i is 0 when it is farther than `reach` for certain. `about` gets
 * how far each is, on a scale of the probe's own: those that are at most quantizer_limit() have their bit set. */
uint32_t quantizer_candidates(const struct quantizer *c, const struct quantizer_probe *probe, size_t block, float reach,
                              float about[SCAN_BLOCK]);
float quantizer_limit(const struct quantizer *c, const struct quantizer_probe *probe, size_t block, float reach);
/* It is looked at more closely soon. */
void quantizer_prefetch(const struct quantizer *c, size_t i);
/* It is not nearer than this. `about`: of quantizer_candidates(). */
float quantizer_lower_bound(const struct quantizer *c, const struct quantizer_probe *probe, size_t i, float about);

#endif
