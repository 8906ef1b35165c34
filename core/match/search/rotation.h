/* A fixed random rotation, after which all dimensions have about the same variance. Any thread.
 *
 * Most of the variance of real embeddings is in a few dimensions. Equal steps for all dimensions (quantizer.h) would be
 * too large for some and too small for others. A random rotation spreads the variance evenly. It is made of three
 * rounds of random sign flips and Walsh-Hadamard transforms (Ailon and Chazelle, "Approximate nearest neighbors and the
 * fast Johnson-Lindenstrauss transform", STOC 2006), in O(n log n). Lengths and distances do not change. The operations
 * on each number and their order are the same on every CPU, and so are the results.
 */
#ifndef KITH_CORE_MATCH_SEARCH_ROTATION_H
#define KITH_CORE_MATCH_SEARCH_ROTATION_H

struct rotation;

struct rotation *rotation_new(int dimension);
void rotation_free(struct rotation *r);

/* Rotates `x`, `dimension` floats, in place. */
void rotate(const struct rotation *r, float *x);

#endif
