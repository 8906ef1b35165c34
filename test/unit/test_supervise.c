/* Supervision and measurement of actors on a fake clock: failure, back-off, restart, statistics, slow callbacks. */
#include "test/unit/actor_world.h"

static void test_failed_actor_restarts_with_back_off_and_keeps_its_mailbox(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    settle(s);
    actor_system_tell(s, "worker", number(MSG_FAIL, 0));
    actor_system_tell(s, "worker", number(MSG_ADD, 5));
    settle(s);
    assert_int_equal(seen.stops, 1);
    assert_int_equal(seen.count, 0);
    settle_after(s, 99);
    assert_int_equal(seen.starts, 1);
    settle_after(s, 1);
    assert_int_equal(seen.starts, 2);
    assert_int_equal(seen.sum, 5);
    /* the second failure waits twice as long */
    actor_system_tell(s, "worker", number(MSG_FAIL, 0));
    settle_after(s, 100);
    settle_after(s, 199);
    assert_int_equal(seen.starts, 2);
    settle_after(s, 1);
    assert_int_equal(seen.starts, 3);
    actor_system_free(s);
}

static void test_ask_ends_when_the_asked_actor_fails_after_receiving_it(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    spawn(s, "asker", &asker);
    ask_for(s, MSG_LATER);
    actor_system_tell(s, "worker", number(MSG_FAIL, 0));
    settle(s);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_FAILED);
    actor_system_free(s);
}

static void test_asks_of_a_failing_actor_end(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    spawn(s, "asker", &asker);
    ask_for(s, MSG_LATER);
    actor_system_tell(s, "asker", number(MSG_SELF, 0));
    settle(s);
    assert_int_equal(seen.endings, 1);
    assert_int_equal(seen.last_status, ACTOR_GONE);
    assert_int_equal(actor_system_asks(s), 0);
    actor_system_free(s);
}

static void test_five_failures_in_thirty_seconds_end_the_node(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    settle(s);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(seen.fatals, 0);
        actor_system_tell(s, "worker", number(MSG_FAIL, 0));
        settle_after(s, 5000);
        settle(s);
    }
    assert_int_equal(seen.fatals, 1);
    assert_string_equal(seen.fatal, "actor worker failed 5 times in 30 s, last: told to");
    actor_system_free(s);
}

static void test_failures_outside_the_window_are_not_counted(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "worker", &worker);
    settle(s);
    for (int i = 0; i < 20; i++) {
        actor_system_tell(s, "worker", number(MSG_FAIL, 0));
        settle(s);
        settle_after(s, 10000);
    }
    assert_int_equal(seen.fatals, 0);
    assert_int_equal(seen.starts, 21);
    actor_system_free(s);
}

static int failing_start(struct actor *self)
{
    (void)self;
    seen.starts++;
    return -5;
}

static const struct actor_ops never_starts = {.name = "never", .start = failing_start, .receive = worker_receive};

static void test_actor_that_cannot_start_is_tried_again_then_ends_the_node(void **state)
{
    struct actor_system *s = new_system();

    (void)state;
    spawn(s, "never", &never_starts);
    for (int i = 0; i < 10; i++)
        settle_after(s, 5000);
    assert_int_equal(seen.starts, 5);
    assert_int_equal(seen.fatals, 1);
    assert_string_equal(seen.fatal, "actor never failed 5 times in 30 s, last: start returned -5");
    actor_system_free(s);
}

static void test_statistics_count_each_outcome(void **state)
{
    struct actor_system *s = new_system();
    struct actor_stats stats;

    (void)state;
    spawn(s, "worker", &worker);
    settle(s);
    for (int i = 0; i < 5; i++)
        actor_system_tell(s, "worker", number(MSG_ADD, i));
    actor_system_each(s, count_actor, &stats);
    assert_int_equal(stats.depth, 4);
    assert_int_equal(stats.refused, 1);
    settle(s);
    actor_system_tell(s, "worker", number(MSG_FAIL, 0));
    settle(s);
    settle_after(s, 100);
    actor_system_each(s, count_actor, &stats);
    assert_int_equal(stats.handled, 5);
    assert_int_equal(stats.restarts, 1);
    assert_int_equal(stats.depth, 0);
    assert_true(stats.running);
    actor_system_free(s);
}

static void slow_reply(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context, (void)status, (void)reply;
    fake_clock_advance_ms(&fake, 400);
}

static void slow_asker_receive(struct actor *self, const struct msg *m)
{
    (void)m;
    actor_ask(self, "worker", number(MSG_ECHO, 1), 1000, slow_reply, NULL);
}

static int slow_start(struct actor *self)
{
    (void)self;
    fake_clock_advance_ms(&fake, 500);
    return 0;
}

static const struct actor_ops slow_asker = {.name = "slow asker", .start = slow_start, .receive = slow_asker_receive};

static void test_slow_callbacks_are_reported(void **state)
{
    static const char *const expected[] = {"worker message 8 200 in 1", "worker message 8 160 in 4",
                                           "worker timer 3000 3000 in 1", "other start 0 500 in 1",
                                           "other reply 2 400 in 1"};
    struct actor_system *s = new_system();
    struct actor *w = spawn(s, "worker", &worker);
    struct actor_stats stats = {0};

    (void)state;
    settle(s);
    actor_system_tell(s, "worker", number(MSG_SLOW, 100)); /* at the limit: not reported */
    actor_system_tell(s, "worker", number(MSG_ADD, 1));
    actor_system_tell(s, "worker", number(MSG_SLOW, 200));
    actor_system_tell(s, "worker", number(MSG_ADD, 1));
    settle(s);
    for (int i = 0; i < 4; i++) /* messages of one type in a row are watched together */
        actor_system_tell(s, "worker", number(MSG_SLOW, 40));
    settle(s);
    actor_after(w, 0, 3000);
    settle(s);
    spawn(s, "other", &slow_asker);
    settle(s);
    actor_system_tell(s, "other", number(MSG_GO, 0));
    settle(s);
    assert_int_equal(seen.slows, 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(seen.slow[i], expected[i]);
    actor_system_each(s, count_actor, &stats);
    assert_int_equal(stats.slow, 3);
    assert_int_equal(stats.handling_ns, 3460 * 1000000ull);
    actor_system_free(s);
}

static void test_an_actor_can_be_made_to_fail_and_restarts_alone(void **state)
{
    struct actor_system *s = new_system();
    struct actor_stats stats;

    (void)state;
    spawn(s, "worker", &worker);
    spawn(s, "other", &worker);
    assert_int_equal(actor_system_fail(s, "worker", "test"), ACTOR_GONE); /* it has not started */
    settle(s);
    assert_int_equal(actor_system_fail(s, "worker", "test"), ACTOR_OK);
    assert_int_equal(actor_system_fail(s, "nobody", "test"), ACTOR_GONE);
    settle(s);
    assert_int_equal(seen.stops, 1);
    assert_int_equal(actor_system_fail(s, "worker", "test"), ACTOR_GONE); /* it waits for its restart */
    settle_after(s, 100);
    assert_int_equal(seen.starts, 3);
    actor_system_each(s, count_actor, &stats);
    assert_int_equal(stats.restarts, 1);
    assert_true(stats.running);
    actor_system_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_actor_restarts_with_back_off_and_keeps_its_mailbox),
        cmocka_unit_test(test_ask_ends_when_the_asked_actor_fails_after_receiving_it),
        cmocka_unit_test(test_asks_of_a_failing_actor_end),
        cmocka_unit_test(test_five_failures_in_thirty_seconds_end_the_node),
        cmocka_unit_test(test_failures_outside_the_window_are_not_counted),
        cmocka_unit_test(test_actor_that_cannot_start_is_tried_again_then_ends_the_node),
        cmocka_unit_test(test_statistics_count_each_outcome),
        cmocka_unit_test(test_slow_callbacks_are_reported),
        cmocka_unit_test(test_an_actor_can_be_made_to_fail_and_restarts_alone),
    };

    return cmocka_run_group_tests_name("supervise", tests, NULL, NULL);
}
