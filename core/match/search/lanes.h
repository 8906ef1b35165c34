/* Vectors of four floats, which every CPU that kith runs on has. Their operations are those of the numbers one by one,
 * so the results are the same bits with and without vector instructions. Any thread. */
#ifndef KITH_CORE_MATCH_SEARCH_LANES_H
#define KITH_CORE_MATCH_SEARCH_LANES_H

#include <stdint.h>
#include <string.h>

enum { LANES = 4 };

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t lane_ints __attribute__((vector_size(LANES * sizeof(int32_t)))); /* also masks: -1 or 0 */

static inline lanes lanes_load(const float *from)
{
    lanes v;

    memcpy(&v, from, sizeof v);
    return v;
}

static inline void lanes_store(float *to, lanes v)
{
    memcpy(to, &v, sizeof v);
}

static inline lanes lanes_all(float x)
{
    return (lanes){x, x, x, x};
}

/* The numbers where the mask is set, 0 elsewhere. */
static inline lanes lanes_where(lane_ints mask, lanes v)
{
    return (lanes)((lane_ints)v & mask);
}

/* The sum of the four, in a fixed order. */
static inline float lanes_sum(lanes v)
{
    return (v[0] + v[1]) + (v[2] + v[3]);
}

#endif
