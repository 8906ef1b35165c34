#include "core/match/search/rotation.h"

#include <math.h>
#include <stdint.h>

enum { ROUNDS = 3 };

/* The normalised Walsh-Hadamard transform of n numbers, n a power of two. */
static void hadamard(float *x, int n)
{
    const float shrink = 1 / sqrtf((float)n);

    for (int half = 1; half < n; half *= 2)
        for (int i = 0; i < n; i += 2 * half)
            for (int k = i; k < i + half; k++) {
                float a = x[k], b = x[k + half];

                x[k] = a + b;
                x[k + half] = a - b;
            }
    for (int i = 0; i < n; i++)
        x[i] *= shrink;
}

/* Flips signs by a xorshift generator (Marsaglia 2003) of a fixed seed, the same in every call. */
static void flip(float *x, int n, uint32_t *state)
{
    for (int i = 0; i < n; i++) {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        x[i] = *state & 1 ? -x[i] : x[i];
    }
}

void rotate(float *x, int dimension)
{
    uint32_t state = 2463534242u;
    int power = 1;

    while (power * 2 <= dimension)
        power *= 2;
    for (int round = 0; round < ROUNDS; round++) {
        flip(x, dimension, &state);
        hadamard(x, power);
        if (power == dimension)
            continue;
        flip(x, dimension, &state);
        hadamard(x + dimension - power, power); /* the last `power` numbers; overlaps the first transform */
    }
}
