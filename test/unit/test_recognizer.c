/* The recogniser: requests, workers, the breaker's gate, the quarantine. */
#include "test/unit/recognizer_world.h"

/* --- the breaker --- */

static void test_an_open_breaker_lets_only_its_check_through(void **state)
{
    static const int states[] = {BREAKER_OPEN, BREAKER_PROBING};

    (void)state;
    be_ready(0);
    for (int i = 0; i < 2; i++) {
        tell_breaker_state(states[i], 7);
        ask();
        assert_int_equal(world.last_outcome, RECOGNIZED_OPEN);
        assert_string_equal(world.last_reason, "it crashed");
    }
    assert_int_equal(host.jobs, 0);
    ask_for(JOB_HEALTH, "/check");
    assert_int_equal(host.jobs, 1);
    finish_job(0, WORK_OK);
    tell_breaker_state(BREAKER_CLOSED, 8);
    ask();
    assert_int_equal(host.jobs, 2);
    assert_int_equal(world.told, 0); /* neither refusals nor the check */
}

/* Pictures, and photos that a recogniser without embeddings is not asked about. */
static void test_requests_that_do_not_call_the_plugin_pass_an_open_breaker_and_do_not_close_it(void **state)
{
    (void)state;
    be_ready(0);
    tell_breaker_state(BREAKER_OPEN, 7);
    ask_for(JOB_PICTURE, "/a");
    finish_job(0, WORK_OK);
    ask_to_enrol("/a");
    finish_job(0, WORK_OK);
    assert_int_equal(host.jobs, 2);
    assert_int_equal(world.told, 0);
    ask_for(JOB_PICTURE, "/a");
    finish_job(0, WORK_FAILED);
    assert_int_equal(world.outcomes[0].outcome, RECOGNIZED_FAILED);
}

static void test_a_file_that_cannot_be_read_now_is_not_the_fault_of_the_image(void **state)
{
    (void)state;
    host.needs = KITH_NEEDS_PIXELS;
    be_ready(0);
    ask_for(JOB_RECOGNIZE, "/stale");
    assert_int_equal(world.last_outcome, RECOGNIZED_FAILED);
    assert_string_equal(world.last_reason, "Stale file handle");
    assert_int_equal(world.outcomes[0].outcome, RECOGNIZED_FAILED);
    ask_for(JOB_RECOGNIZE, "/many"); /* of this node: the image costs no try */
    assert_int_equal(world.last_outcome, RECOGNIZED_BUSY);
    assert_int_equal(world.told, 1);
}

static void test_each_outcome_is_told_once(void **state)
{
    static const struct {
        uint32_t status;
        int outcome;
    } ends[] = {{WORK_OK, RECOGNIZED_OK},
                {WORK_BAD_IMAGE, RECOGNIZED_BAD_IMAGE},
                {WORK_QUARANTINED, RECOGNIZED_POISON},
                {WORK_FAILED, RECOGNIZED_FAILED}};

    (void)state;
    be_ready(0);
    for (int i = 0; i < 4; i++) {
        ask();
        finish_job(0, ends[i].status);
        assert_int_equal(world.answers, i + 1);
        assert_int_equal(world.last_outcome, ends[i].outcome);
        assert_int_equal(world.told, i + 1);
        assert_int_equal(world.outcomes[i].outcome, ends[i].outcome);
    }
}

static void test_an_outcome_carries_the_generation_that_let_it_through(void **state)
{
    (void)state;
    be_ready(0);
    tell_breaker_state(BREAKER_CLOSED, 5);
    ask();
    tell_breaker_state(BREAKER_CLOSED, 6);
    finish_job(0, WORK_FAILED);
    assert_int_equal(world.outcomes[0].generation, 5);
}

static void test_a_restart_asks_for_the_state_of_the_breaker(void **state)
{
    int asked = world.state_asked;

    (void)state;
    assert_int_equal(actor_system_fail(sys, "recognizer", "on purpose"), ACTOR_OK);
    settle();
    advance(1000);
    assert_int_equal(world.state_asked, asked + 1);
}

/* --- time limits --- */

static void test_a_worker_that_hangs_is_killed_and_counts_as_a_failure(void **state)
{
    (void)state;
    be_ready(0);
    ask();
    advance(RECOGNIZE_MS - 1);
    assert_false(host.workers[0].killed);
    advance(1);
    assert_true(host.workers[0].killed);
    assert_int_equal(world.last_outcome, RECOGNIZED_TIMEOUT);
    assert_int_equal(world.told, 1);
    assert_int_equal(world.outcomes[0].outcome, RECOGNIZED_TIMEOUT);
}

static void test_a_file_that_is_not_opened_in_time_counts_as_a_failure(void **state)
{
    (void)state;
    be_ready(0);
    disk.hang = true;
    ask();
    advance(OPEN_MS - 1);
    assert_int_equal(world.answers, 0);
    advance(1);
    assert_int_equal(world.last_outcome, RECOGNIZED_TIMEOUT);
    assert_int_equal(world.outcomes[0].outcome, RECOGNIZED_TIMEOUT);
    disk.work(disk.job); /* the disk comes back */
    actor_post(sys, disk.to, disk.job);
    settle();
    assert_int_equal(world.answers, 1);
    assert_int_equal(world.told, 1);
    assert_int_equal(host.jobs, 0);
}

static void test_a_request_that_no_worker_takes_is_busy_and_counts_for_nothing(void **state)
{
    (void)state;
    advance(START_MS / 2); /* the worker starts, and is not ready */
    ask();
    advance(WAIT_MS / 2);
    ask();
    advance(WAIT_MS / 2 - 501);
    assert_int_equal(world.answers, 0);
    be_ready(0);
    assert_int_equal(host.jobs, 1);
    advance(500); /* the worker has the first, the second waits */
    assert_int_equal(world.answers, 0);
    finish_job(0, WORK_OK);
    ask(); /* the worker has the second, the third waits */
    advance(WAIT_MS - 1);
    assert_int_equal(world.answers, 1);
    advance(1);
    assert_int_equal(world.answers, 2);
    assert_int_equal(world.last_outcome, RECOGNIZED_BUSY);
    assert_int_equal(world.told, 1);
    finish_job(0, WORK_OK);
    assert_int_equal(world.last_outcome, RECOGNIZED_OK);
}

static void test_more_requests_than_the_limit_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        ask();
    assert_int_equal(world.answers, 0);
    ask();
    assert_int_equal(world.last_outcome, RECOGNIZED_BUSY);
    assert_non_null(strstr(world.last_reason, "KITH_WORKER_QUEUE"));
    assert_int_equal(world.told, 0);
    be_ready(0);
    for (int i = 0; i < 4; i++)
        finish_job(0, WORK_OK);
    assert_int_equal(world.answers, 5);
}

/* --- files and order --- */

static void test_a_file_that_cannot_be_opened_is_the_fault_of_the_image(void **state)
{
    (void)state;
    host.needs = KITH_NEEDS_PIXELS;
    be_ready(0);
    ask_for(JOB_RECOGNIZE, "/missing");
    assert_int_equal(world.last_outcome, RECOGNIZED_BAD_IMAGE);
    assert_string_equal(world.last_reason, "no such file");
    assert_int_equal(world.outcomes[0].outcome, RECOGNIZED_BAD_IMAGE);
    assert_int_equal(host.jobs, 0);
}

static void test_a_recogniser_of_paths_gets_those_that_do_not_exist_here(void **state)
{
    (void)state;
    host.needs = KITH_NEEDS_PATH;
    be_ready(0);
    ask_for(JOB_RECOGNIZE, "/missing");
    assert_int_equal(host.jobs, 1);
    assert_true(host.last_without_file);
    finish_job(0, WORK_OK);
    ask_for(JOB_RECOGNIZE, "/link"); /* it exists, and is refused */
    assert_int_equal(world.last_outcome, RECOGNIZED_BAD_IMAGE);
    assert_int_equal(host.jobs, 1);
}

static void test_urgent_requests_are_dispatched_first(void **state)
{
    struct msg_recognize *urgent = msg_recognize_new(JOB_RECOGNIZE, "/urgent", NULL, 0);

    (void)state;
    ask_for(JOB_RECOGNIZE, "/first");
    ask_for(JOB_RECOGNIZE, "/second");
    urgent->urgent = true;
    actor_system_tell(sys, "asker", &urgent->head);
    settle();
    be_ready(0);
    assert_string_equal(host.last_path, "/urgent");
    finish_job(0, WORK_OK);
    assert_string_equal(host.last_path, "/first");
    finish_job(0, WORK_OK);
    assert_string_equal(host.last_path, "/second");
}

/* --- workers --- */

static void test_the_back_off_of_a_failed_start_doubles_up_to_a_limit(void **state)
{
    static const uint64_t waits[] = {200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000};

    (void)state;
    host.refuse_start = true;
    worker_kill(&host.workers[0]);
    settle();
    for (int i = 0; i < 9; i++) {
        int started = host.started;

        advance(waits[i] - 1);
        assert_int_equal(host.started, started);
        advance(1);
        assert_int_equal(host.started, started + 1);
    }
    ask();
    assert_int_equal(world.last_outcome, RECOGNIZED_UNAVAILABLE);
    assert_string_equal(world.last_reason, "no process");
    host.refuse_start = false;
    advance(10000);
    be_ready(host.started - 1);
    worker_kill(&host.workers[host.started - 1]); /* a start that succeeded ends the doubling */
    settle();
    advance(200);
    assert_int_equal(host.started, 12);
}

static void test_a_crash_costs_its_request_and_no_other(void **state)
{
    (void)state;
    be_ready(0);
    ask();
    ask();
    worker_kill(&host.workers[0]);
    settle();
    assert_int_equal(world.answers, 1);
    assert_int_equal(world.last_outcome, RECOGNIZED_CRASHED);
    assert_int_equal(world.outcomes[0].outcome, RECOGNIZED_CRASHED);
    advance(200);
    be_ready(1);
    finish_job(1, WORK_OK);
    assert_int_equal(world.answers, 2);
    assert_int_equal(world.last_outcome, RECOGNIZED_OK);
}

static void test_a_recycled_worker_is_replaced_at_once(void **state)
{
    (void)state;
    config.images_max = 2;
    be_ready(0);
    for (int i = 0; i < 2; i++) {
        ask();
        finish_job(0, WORK_OK);
    }
    config.images_max = 1000;
    assert_true(host.workers[0].killed);
    advance(0);
    assert_int_equal(host.started, 2);
    assert_int_equal(world.last_outcome, RECOGNIZED_OK);
}

/* --- quarantine --- */

static void test_the_quarantine_ends_in_the_workers_too(void **state)
{
    (void)state;
    be_ready(0);
    assert_int_equal(host.workers[0].quarantined, -1);
    world.quarantined = 3;
    actor_system_tell(sys, "recognizer", msg_new(MSG_QUARANTINE, sizeof(struct msg)));
    settle();
    assert_int_equal(host.workers[0].quarantined, 3);
    world.quarantined = 0; /* its time is over */
    advance(5000);
    assert_int_equal(host.workers[0].quarantined, 0);
    world.quarantined = 1; /* another node adds one */
    advance(5000);
    assert_int_equal(host.workers[0].quarantined, 1);
}

static void test_a_new_worker_gets_the_quarantine_before_its_first_job(void **state)
{
    (void)state;
    world.quarantined = 2;
    actor_system_tell(sys, "recognizer", msg_new(MSG_QUARANTINE, sizeof(struct msg)));
    settle();
    ask();
    be_ready(0);
    assert_int_equal(host.workers[0].quarantined, 2);
    assert_int_equal(host.jobs, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_open_breaker_lets_only_its_check_through),
        TEST(test_requests_that_do_not_call_the_plugin_pass_an_open_breaker_and_do_not_close_it),
        TEST(test_a_file_that_cannot_be_read_now_is_not_the_fault_of_the_image),
        TEST(test_each_outcome_is_told_once),
        TEST(test_an_outcome_carries_the_generation_that_let_it_through),
        TEST(test_a_restart_asks_for_the_state_of_the_breaker),
        TEST(test_a_worker_that_hangs_is_killed_and_counts_as_a_failure),
        TEST(test_a_file_that_is_not_opened_in_time_counts_as_a_failure),
        TEST(test_a_request_that_no_worker_takes_is_busy_and_counts_for_nothing),
        TEST(test_more_requests_than_the_limit_are_refused),
        TEST(test_a_file_that_cannot_be_opened_is_the_fault_of_the_image),
        TEST(test_a_recogniser_of_paths_gets_those_that_do_not_exist_here),
        TEST(test_urgent_requests_are_dispatched_first),
        TEST(test_the_back_off_of_a_failed_start_doubles_up_to_a_limit),
        TEST(test_a_crash_costs_its_request_and_no_other),
        TEST(test_a_recycled_worker_is_replaced_at_once),
        TEST(test_the_quarantine_ends_in_the_workers_too),
        TEST(test_a_new_worker_gets_the_quarantine_before_its_first_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
