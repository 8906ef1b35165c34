/* The circuit breaker with a fake clock and a fake recogniser that does what the test says. */
#include "actors/pipeline/circuit_breaker.h"

#include "actors/messages.h"
#include "core/actor/system.h"
#include "test/unit/test.h"

#include <string.h>

static uint64_t now_ns;

static uint64_t fake_now(void *context)
{
    (void)context;
    return now_ns;
}

/* --- the fake recogniser --- */

static struct {
    int outcome; /* -1: keeps silent */
    int calls, probes;
    actor_token held;
} world;

static void recognizer_receive(struct actor *self, const struct msg *m)
{
    const struct msg_recognize *ask = (const struct msg_recognize *)m;

    world.calls++;
    world.probes += ask->kind == JOB_HEALTH;
    if (world.outcome < 0)
        world.held = actor_defer(self);
    else
        actor_reply(self, &msg_recognized_new(world.outcome, "as the test says")->head);
}

static const struct actor_ops fake_recognizer = {.name = "recognizer", .receive = recognizer_receive};

/* --- one who asks, and hears of changes --- */

static struct {
    int last_outcome, answers;
    int states[32], changes;
    uint64_t waits[32];
} heard;

static void on_answer(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self;
    (void)context;
    assert_int_equal(status, ACTOR_OK);
    heard.last_outcome = ((const struct msg_recognized *)reply)->outcome;
    heard.answers++;
}

static void asker_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_BREAKER) {
        heard.states[heard.changes] = ((const struct msg_breaker *)m)->state;
        heard.waits[heard.changes++] = ((const struct msg_breaker *)m)->wait_ms;
        return;
    }
    actor_ask(self, "breaker", &msg_recognize_new(JOB_RECOGNIZE, "/x", NULL, 0)->head, 60000, on_answer, NULL);
}

static const struct actor_ops asker = {.name = "asker", .receive = asker_receive};

static struct actor_system *sys;
static const char *const subscribers[] = {"asker", NULL};
static const struct breaker_config config = {.recognizer = "recognizer",
                                             .failures = 5,
                                             .open_ms = 10000,
                                             .open_max_ms = 60000,
                                             .call_ms = 30000,
                                             .probe_ms = 5000,
                                             .subscribers = subscribers};

static void settle(void)
{
    while (actor_system_turn(sys))
        ;
}

static void advance(uint64_t ms)
{
    now_ns += ms * 1000000;
    settle();
}

static void call(int outcome)
{
    world.outcome = outcome;
    actor_system_tell(sys, "asker", msg_new(1, sizeof(struct msg)));
    settle();
}

static int setup(void **state)
{
    struct actor_system_options options = {.now_ns = fake_now};

    (void)state;
    memset(&world, 0, sizeof world);
    memset(&heard, 0, sizeof heard);
    sys = actor_system_new(&options);
    actor_spawn(sys, &(struct actor_spec){.name = "asker", .ops = &asker});
    actor_spawn(sys, &(struct actor_spec){.name = "recognizer", .ops = &fake_recognizer});
    actor_spawn(sys, &(struct actor_spec){.name = "breaker", .ops = &breaker_actor, .config = &config});
    settle();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    actor_system_free(sys);
    return 0;
}

static int state_now(void)
{
    return heard.states[heard.changes - 1];
}

static void trip(void)
{
    for (int i = 0; i < 5; i++)
        call(RECOGNIZED_CRASHED);
    assert_int_equal(state_now(), BREAKER_OPEN);
}

/* --- what is expected --- */

static void test_opens_at_the_fifth_failure_in_a_row(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        call(RECOGNIZED_CRASHED);
    assert_int_equal(state_now(), BREAKER_CLOSED);
    call(RECOGNIZED_TIMEOUT);
    assert_int_equal(state_now(), BREAKER_OPEN);
    assert_int_equal(heard.waits[heard.changes - 1], 10000);
}

static void test_a_success_starts_the_count_anew(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++)
            call(RECOGNIZED_FAILED);
        call(RECOGNIZED_OK);
    }
    assert_int_equal(state_now(), BREAKER_CLOSED);
}

static void test_bad_images_never_open_it(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        call(i % 3 ? RECOGNIZED_BAD_IMAGE : RECOGNIZED_POISON);
    assert_int_equal(state_now(), BREAKER_CLOSED);
    assert_int_equal(world.calls, 1000);
}

static void test_busy_neither_counts_nor_heals(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        call(RECOGNIZED_CRASHED);
    for (int i = 0; i < 20; i++)
        call(RECOGNIZED_BUSY);
    assert_int_equal(state_now(), BREAKER_CLOSED);
    call(RECOGNIZED_CRASHED);
    assert_int_equal(state_now(), BREAKER_OPEN);
}

static void test_open_lets_nothing_through(void **state)
{
    int calls;

    (void)state;
    trip();
    calls = world.calls;
    call(RECOGNIZED_OK);
    assert_int_equal(world.calls, calls);
    assert_int_equal(heard.last_outcome, RECOGNIZED_OPEN);
    advance(9999);
    assert_int_equal(world.calls, calls);
}

static void test_one_check_after_the_wait_closes_it(void **state)
{
    (void)state;
    trip();
    world.outcome = RECOGNIZED_OK;
    advance(10000);
    assert_int_equal(world.probes, 1);
    assert_int_equal(state_now(), BREAKER_CLOSED);
    for (int i = 0; i < 4; i++)
        call(RECOGNIZED_CRASHED);
    assert_int_equal(state_now(), BREAKER_CLOSED); /* counters at zero */
    call(RECOGNIZED_CRASHED);
    assert_int_equal(heard.waits[heard.changes - 1], 10000); /* and the wait as at first */
}

static void test_a_failed_check_doubles_the_wait_up_to_the_ceiling(void **state)
{
    static const uint64_t waits[] = {20000, 40000, 60000, 60000};

    (void)state;
    trip();
    world.outcome = RECOGNIZED_UNAVAILABLE;
    for (int i = 0; i < 4; i++) {
        advance(heard.waits[heard.changes - 1]);
        assert_int_equal(state_now(), BREAKER_OPEN);
        assert_int_equal(heard.waits[heard.changes - 1], waits[i]);
    }
    assert_int_equal(world.probes, 4);
}

static void test_a_check_that_never_returns_has_failed(void **state)
{
    (void)state;
    trip();
    world.outcome = -1;
    advance(10000);
    assert_int_equal(state_now(), BREAKER_PROBING);
    call(-1); /* while probing nothing else goes through */
    assert_int_equal(heard.last_outcome, RECOGNIZED_OPEN);
    assert_int_equal(world.probes, 1);
    advance(4999);
    assert_int_equal(state_now(), BREAKER_PROBING);
    advance(1);
    assert_int_equal(state_now(), BREAKER_OPEN);
    assert_int_equal(heard.waits[heard.changes - 1], 20000);
}

static void answer_held(struct actor *self, const struct msg *m)
{
    (void)m;
    actor_answer(self, world.held, &msg_recognized_new(RECOGNIZED_CRASHED, "late")->head);
}

static const struct actor_ops late_answer = {.name = "late", .receive = answer_held};

static void test_an_outcome_of_before_a_change_is_not_counted(void **state)
{
    (void)state;
    actor_spawn(sys, &(struct actor_spec){.name = "late", .ops = &late_answer});
    call(-1); /* this one hangs on */
    trip();
    world.outcome = RECOGNIZED_OK;
    advance(10000);
    assert_int_equal(state_now(), BREAKER_CLOSED);
    for (int i = 0; i < 4; i++)
        call(RECOGNIZED_CRASHED);
    actor_system_tell(sys, "late", msg_new(1, sizeof(struct msg)));
    settle();
    assert_int_equal(state_now(), BREAKER_CLOSED);            /* the late one was not the fifth */
    assert_int_equal(heard.last_outcome, RECOGNIZED_CRASHED); /* but its asker got it */
}

static void test_a_call_that_never_returns_counts_as_a_failure(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        call(-1);
        advance(30000);
    }
    assert_int_equal(heard.last_outcome, RECOGNIZED_TIMEOUT);
    assert_int_equal(state_now(), BREAKER_OPEN);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_opens_at_the_fifth_failure_in_a_row),
        TEST(test_a_success_starts_the_count_anew),
        TEST(test_bad_images_never_open_it),
        TEST(test_busy_neither_counts_nor_heals),
        TEST(test_open_lets_nothing_through),
        TEST(test_one_check_after_the_wait_closes_it),
        TEST(test_a_failed_check_doubles_the_wait_up_to_the_ceiling),
        TEST(test_a_check_that_never_returns_has_failed),
        TEST(test_an_outcome_of_before_a_change_is_not_counted),
        TEST(test_a_call_that_never_returns_counts_as_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
