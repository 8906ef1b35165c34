/* A rotation after which all dimensions count alike.
 *
 * Real embeddings lie mostly in a few dimensions. Steps that are alike for all of them (codes.h) would be too coarse
 * for some and too fine for the rest; turned by a matrix that has nothing to do with them, every dimension gets its
 * share of every other. Signs are flipped and Walsh-Hadamard transforms applied, three times (Ailon and Chazelle 2006;
 * as fast as n log n); lengths and distances stay what they are. Pure functions; any thread.
 */
#ifndef KITH_CORE_MATCH_SEARCH_ROTATION_H
#define KITH_CORE_MATCH_SEARCH_ROTATION_H

/* `x` in place. */
void rotate(float *x, int dimension);

#endif
