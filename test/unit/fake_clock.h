/* A clock that only the test advances. */
#ifndef KITH_TEST_FAKE_CLOCK_H
#define KITH_TEST_FAKE_CLOCK_H

#include <stdint.h>

struct fake_clock {
    uint64_t ns;
};

static inline uint64_t fake_clock_now(void *context)
{
    return ((struct fake_clock *)context)->ns;
}

static inline void fake_clock_advance_ms(struct fake_clock *clock, uint64_t ms)
{
    clock->ns += ms * 1000000;
}

#endif
