/* An actor system on a fake clock, for tests of one actor of the pipeline among fake neighbours. Included by one file.
 */
#ifndef KITH_TEST_UNIT_PIPELINE_WORLD_H
#define KITH_TEST_UNIT_PIPELINE_WORLD_H

#include "actors/messages.h"
#include "core/actor/system.h"
#include "test/unit/fake_clock.h"
#include "test/unit/test.h"

#include <stdio.h>
#include <string.h>

static struct fake_clock fake;
static struct actor_system *sys;
static bool woken; /* a message was posted */

static inline void wake(void *context)
{
    (void)context;
    woken = true;
}

static inline void new_system(void)
{
    struct actor_system_options options = {.now_ns = fake_clock_now, .clock_context = &fake, .wake = wake};

    fake.ns = 1000000000;
    sys = actor_system_new(&options);
}

static inline void spawn(const struct actor_ops *ops, const void *config)
{
    actor_spawn(sys, &(struct actor_spec){.name = ops->name, .ops = ops, .config = config});
}

static inline int teardown(void **state)
{
    (void)state;
    actor_system_free(sys);
    return 0;
}

static inline void settle(void)
{
    do
        woken = false;
    while (actor_system_turn(sys) || woken);
}

static inline void advance(uint64_t ms)
{
    fake_clock_advance_ms(&fake, ms);
    settle();
}

static inline uint64_t now_ms(void)
{
    return fake.ns / 1000000;
}

static inline void tell(const char *to, struct msg *m)
{
    actor_system_tell(sys, to, m);
    settle();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
