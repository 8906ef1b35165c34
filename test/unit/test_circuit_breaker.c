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

/* --- the fake recogniser: it gets the health checks --- */

static struct {
    int outcome; /* of a health check; -1: no answer */
    int probes;
} world;

static void recognizer_receive(struct actor *self, const struct msg *m)
{
    assert_int_equal(((const struct msg_recognize *)m)->kind, JOB_HEALTH);
    world.probes++;
    if (world.outcome < 0)
        actor_defer(self);
    else
        actor_reply(self, &msg_recognized_new(world.outcome, "as the test says")->head);
}

static const struct actor_ops fake_recognizer = {.name = "recognizer", .receive = recognizer_receive};

/* --- a subscriber --- */

static struct {
    int states[32], changes;
    uint64_t waits[32];
    uint32_t generations[32];
} heard;

static void subscriber_receive(struct actor *self, const struct msg *m)
{
    const struct msg_breaker *told = (const struct msg_breaker *)m;

    (void)self;
    heard.states[heard.changes] = told->state;
    heard.generations[heard.changes] = told->generation;
    heard.waits[heard.changes++] = told->wait_ms;
}

static const struct actor_ops subscriber = {.name = "subscriber", .receive = subscriber_receive};

static struct actor_system *sys;
static const char *const subscribers[] = {"subscriber", NULL};
static const struct breaker_config config = {.recognizer = "recognizer",
                                             .failures = 5,
                                             .open_ms = 10000,
                                             .open_max_ms = 60000,
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

/* A request of that generation ends. */
static void end_request(uint32_t generation, int outcome)
{
    struct msg_outcome *m = (struct msg_outcome *)msg_new(MSG_OUTCOME, sizeof *m);

    m->generation = generation;
    m->outcome = outcome;
    actor_system_tell(sys, "breaker", &m->head);
    settle();
}

static uint32_t generation_now(void)
{
    return heard.generations[heard.changes - 1];
}

static void call(int outcome)
{
    end_request(generation_now(), outcome);
}

/* A remote recogniser. */
static const struct breaker_config remote = {.recognizer = "recognizer",
                                             .failures = 5,
                                             .open_ms = 2000,
                                             .open_max_ms = 60000,
                                             .probe_ms = 5000,
                                             .check_ms = 8000,
                                             .subscribers = subscribers};

static void store_receive(struct actor *self, const struct msg *m)
{
    assert_int_equal(m->type, STORE_KNOWN_PHOTO);
    actor_reply(self, &STORE_MESSAGE(STORE_REPLY, store_reply)->m.head);
}

static const struct actor_ops fake_store = {.name = "store", .receive = store_receive};

static void start(const struct breaker_config *breaker)
{
    struct actor_system_options options = {.now_ns = fake_now};

    memset(&world, 0, sizeof world);
    memset(&heard, 0, sizeof heard);
    sys = actor_system_new(&options);
    actor_spawn(sys, &(struct actor_spec){.name = "subscriber", .ops = &subscriber});
    actor_spawn(sys, &(struct actor_spec){.name = "recognizer", .ops = &fake_recognizer});
    actor_spawn(sys, &(struct actor_spec){.name = "store", .ops = &fake_store});
    actor_spawn(sys, &(struct actor_spec){.name = "breaker", .ops = &breaker_actor, .config = breaker});
}

static int setup(void **state)
{
    (void)state;
    start(&config);
    settle();
    return 0;
}

static int setup_remote(void **state)
{
    (void)state;
    start(&remote);
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

static void test_nothing_counts_while_it_is_open(void **state)
{
    int changes;

    (void)state;
    trip();
    changes = heard.changes;
    for (int i = 0; i < 10; i++)
        call(i % 2 ? RECOGNIZED_CRASHED : RECOGNIZED_OK);
    advance(9999);
    assert_int_equal(heard.changes, changes);
    assert_int_equal(world.probes, 0);
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
    assert_int_equal(world.probes, 1);
    advance(4999);
    assert_int_equal(state_now(), BREAKER_PROBING);
    advance(1);
    assert_int_equal(state_now(), BREAKER_OPEN);
    assert_int_equal(heard.waits[heard.changes - 1], 20000);
}

static void test_an_outcome_of_before_a_change_is_not_counted(void **state)
{
    uint32_t before = generation_now();

    (void)state;
    trip();
    world.outcome = RECOGNIZED_OK;
    advance(10000);
    assert_int_equal(state_now(), BREAKER_CLOSED);
    for (int i = 0; i < 4; i++)
        call(RECOGNIZED_CRASHED);
    end_request(before, RECOGNIZED_CRASHED);
    assert_int_equal(state_now(), BREAKER_CLOSED);
    call(RECOGNIZED_CRASHED);
    assert_int_equal(state_now(), BREAKER_OPEN);
}

static void test_an_outcome_of_before_a_restart_is_not_counted(void **state)
{
    uint32_t before = generation_now();

    (void)state;
    assert_int_equal(actor_system_fail(sys, "breaker", "on purpose"), ACTOR_OK);
    settle();
    advance(1000);
    assert_int_equal(heard.changes, 2);
    for (int i = 0; i < 5; i++)
        end_request(before, RECOGNIZED_CRASHED);
    assert_int_equal(state_now(), BREAKER_CLOSED);
}

static void test_tells_its_state_when_asked(void **state)
{
    (void)state;
    actor_system_tell(sys, "breaker", msg_new(MSG_SEND_STATE, sizeof(struct msg)));
    settle();
    assert_int_equal(heard.changes, 2);
    assert_int_equal(heard.generations[1], heard.generations[0]);
}

static void test_a_remote_recogniser_is_checked_before_its_first_request(void **state)
{
    (void)state;
    world.outcome = RECOGNIZED_FAILED;
    settle();
    assert_int_equal(heard.states[0], BREAKER_PROBING);
    assert_int_equal(state_now(), BREAKER_OPEN);
    assert_int_equal(world.probes, 1);
    world.outcome = RECOGNIZED_OK;
    advance(2000);
    assert_int_equal(world.probes, 2);
    assert_int_equal(state_now(), BREAKER_CLOSED);
}

static void test_a_remote_recogniser_that_goes_away_opens_it_without_a_request(void **state)
{
    (void)state;
    settle();
    assert_int_equal(state_now(), BREAKER_CLOSED);
    advance(7999);
    assert_int_equal(world.probes, 1);
    advance(1);
    assert_int_equal(world.probes, 2);
    assert_int_equal(state_now(), BREAKER_CLOSED);
    world.outcome = RECOGNIZED_TIMEOUT;
    advance(8000);
    assert_int_equal(state_now(), BREAKER_OPEN);
    for (int i = 0; i < 5; i++) { /* the waits double up to the interval of the checks */
        const uint64_t waits[] = {2000, 4000, 8000, 8000, 8000};

        assert_int_equal(heard.waits[heard.changes - 1], waits[i]);
        advance(waits[i]);
    }
    world.outcome = RECOGNIZED_OK;
    advance(8000);
    assert_int_equal(state_now(), BREAKER_CLOSED);
    world.probes = 0;
    advance(8000);
    assert_int_equal(world.probes, 1); /* one timer, though it was open in between */
}

static void test_a_remote_recogniser_that_answers_images_is_not_checked(void **state)
{
    (void)state;
    settle();
    for (int i = 0; i < 10; i++) {
        call(i % 2 ? RECOGNIZED_OK : RECOGNIZED_BAD_IMAGE);
        advance(8000);
    }
    assert_int_equal(world.probes, 1);
    advance(8000);
    assert_int_equal(world.probes, 2);
}

static void test_a_check_that_waits_while_images_are_answered_shows_nothing(void **state)
{
    (void)state;
    settle();
    world.outcome = -1;
    advance(8000);
    assert_int_equal(world.probes, 2);
    call(RECOGNIZED_OK);
    advance(5000);
    assert_int_equal(state_now(), BREAKER_CLOSED);
    advance(8000); /* the image has shown that it works */
    assert_int_equal(world.probes, 2);
    advance(8000);
    assert_int_equal(world.probes, 3);
    advance(5000);
    assert_int_equal(state_now(), BREAKER_OPEN);
}

static void test_a_busy_recogniser_is_not_away(void **state)
{
    (void)state;
    settle();
    world.outcome = RECOGNIZED_BUSY;
    for (int i = 0; i < 5; i++)
        advance(8000);
    assert_int_equal(state_now(), BREAKER_CLOSED);
    assert_int_equal(world.probes, 6);
}

int main(void)
{
#define TEST_REMOTE(f) cmocka_unit_test_setup_teardown(f, setup_remote, teardown)
#define TEST(f)        cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_opens_at_the_fifth_failure_in_a_row),
        TEST(test_a_success_starts_the_count_anew),
        TEST(test_bad_images_never_open_it),
        TEST(test_busy_neither_counts_nor_heals),
        TEST(test_nothing_counts_while_it_is_open),
        TEST(test_one_check_after_the_wait_closes_it),
        TEST(test_a_failed_check_doubles_the_wait_up_to_the_ceiling),
        TEST(test_a_check_that_never_returns_has_failed),
        TEST(test_an_outcome_of_before_a_change_is_not_counted),
        TEST(test_an_outcome_of_before_a_restart_is_not_counted),
        TEST(test_tells_its_state_when_asked),
        TEST_REMOTE(test_a_remote_recogniser_is_checked_before_its_first_request),
        TEST_REMOTE(test_a_remote_recogniser_that_goes_away_opens_it_without_a_request),
        TEST_REMOTE(test_a_remote_recogniser_that_answers_images_is_not_checked),
        TEST_REMOTE(test_a_check_that_waits_while_images_are_answered_shows_nothing),
        TEST_REMOTE(test_a_busy_recogniser_is_not_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
