/* Reproducible random numbers for unit tests: xorshift64 (G. Marsaglia, 2003). Set `random_state` to any number but 0.
 */
#ifndef KITH_TEST_UNIT_TEST_RANDOM_H
#define KITH_TEST_UNIT_TEST_RANDOM_H

#include <math.h>
#include <stdint.h>

static uint64_t random_state = 88172645463325252u;

static inline double random_uniform(void) /* between 0 and 1, exclusive */
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return ((double)(random_state >> 11) + 0.5) * 0x1p-53;
}

static inline double random_normal(void) /* mean 0, deviation 1 */
{
    return sqrt(-2 * log(random_uniform())) * cos(2 * M_PI * random_uniform());
}

#endif
