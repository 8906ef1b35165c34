#include "core/match/search/rotation.h"

#include "core/base/must.h"
#include "core/match/search/lanes.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 3 };

struct rotation {
    int dimension, power; /* power: the largest power of two in `dimension` */
    uint32_t signs[];     /* the bits of the sign that each flip changes: `dimension` for each flip */
};

/* A xorshift generator (Marsaglia 2003) of a fixed seed: each rotation of a dimension has the same signs. */
static void rotation_make_signs(uint32_t *signs, size_t n)
{
    uint32_t state = 2463534242u;

    for (size_t i = 0; i < n; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        signs[i] = state << 31;
    }
}

struct rotation *rotation_new(int dimension)
{
    const size_t signs = (size_t)dimension * ROUNDS * 2;
    struct rotation *r = must(malloc(sizeof *r + signs * sizeof r->signs[0]));

    r->dimension = dimension;
    for (r->power = 1; r->power * 2 <= dimension;)
        r->power *= 2;
    rotation_make_signs(r->signs, signs);
    return r;
}

void rotation_free(struct rotation *r)
{
    free(r);
}

static void rotation_flip_signs(float *x, const uint32_t *signs, int n)
{
    int i = 0;

    for (; i + LANES <= n; i += LANES) {
        lane_ints flips;

        memcpy(&flips, signs + i, sizeof flips);
        lanes_store(x + i, (lanes)((lane_ints)lanes_load(x + i) ^ flips));
    }
    for (; i < n; i++)
        x[i] = signs[i] ? -x[i] : x[i];
}

/* The first two steps of the transform, of groups of four numbers. */
static void rotation_transform_fours(float *x, int n)
{
    for (int i = 0; i < n; i += 4) {
        float a = x[i] + x[i + 1], b = x[i] - x[i + 1], c = x[i + 2] + x[i + 3], d = x[i + 2] - x[i + 3];

        x[i] = a + c;
        x[i + 1] = b + d;
        x[i + 2] = a - c;
        x[i + 3] = b - d;
    }
}

/* x[k] and x[k + half] become their sum and their difference, for `half` numbers k, a multiple of LANES. */
static void rotation_butterflies(float *x, int half)
{
    for (int k = 0; k < half; k += LANES) {
        lanes a = lanes_load(x + k), b = lanes_load(x + k + half);

        lanes_store(x + k, a + b);
        lanes_store(x + k + half, a - b);
    }
}

/* The normalised Walsh-Hadamard transform of n numbers, n a power of two. */
static void rotation_hadamard(float *x, int n)
{
    const float shrink = 1 / sqrtf((float)n);

    if (n == 2) {
        float a = x[0], b = x[1];

        x[0] = a + b;
        x[1] = a - b;
    } else if (n >= 4) {
        rotation_transform_fours(x, n);
    }
    for (int half = LANES; half < n; half *= 2)
        for (int i = 0; i < n; i += 2 * half)
            rotation_butterflies(x + i, half);
    for (int i = 0; i < n; i++)
        x[i] *= shrink;
}

void rotate(const struct rotation *r, float *x)
{
    const uint32_t *signs = r->signs;

    for (int round = 0; round < ROUNDS; round++) {
        rotation_flip_signs(x, signs, r->dimension);
        signs += r->dimension;
        rotation_hadamard(x, r->power);
        if (r->power == r->dimension)
            continue;
        rotation_flip_signs(x, signs, r->dimension);
        signs += r->dimension;
        rotation_hadamard(x + r->dimension - r->power, r->power); /* the last numbers; overlaps the first transform */
    }
}
