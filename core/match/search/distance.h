/* Distances between embeddings, with the widest vector instructions of the CPU. Pure functions; any thread. */
#ifndef KITH_CORE_MATCH_SEARCH_DISTANCE_H
#define KITH_CORE_MATCH_SEARCH_DISTANCE_H

#include <stdbool.h>
#include <stdint.h>

/* The distance of two embeddings of `dimension` floats; `metric` is one of enum match_metric. L2: sqrt(sum (a-b)^2);
 * cosine: 1 - a·b /
 * (|a| |b|), 1 when one of them is zero; chi-square: sum 2 (a-b)^2 / (a+b) over the parts where a+b > 0 (OpenCV's
 * HISTCMP_CHISQR_ALT). */
double embedding_distance(uint32_t metric, const float *a, const float *b, int dimension);

/* sum (a-b)^2 */
float embedding_squared(const float *a, const float *b, int dimension);

/* Maps a distance to a similarity in 0 to 1, the same scale for every recogniser: 1 / (1 + exp(8 (d / t - 1))); 0.5 at
 * the threshold t, 0.9997 at 0, 0.018 at 1.5 t. */
double similarity_of(double distance, double threshold);

/* Whether an embedding can be compared: all numbers are finite, and, for the cosine, it is not zero. */
bool embedding_is_sane(uint32_t metric, const float *e, int dimension);

#endif
