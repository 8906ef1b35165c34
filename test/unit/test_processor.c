/* The processor: leases, results, claims. */
#include "test/unit/processor_world.h"

/* --- leases --- */

static void test_leases_are_renewed_when_less_than_half_has_passed(void **state)
{
    enum { STEP_MS = LEASE_MS / 30 };
    uint64_t last_ms;

    (void)state;
    advance(POLL_MS); /* the claim falls between two renewals */
    add_row(1, 0, 0);
    nudge();
    assert_int_equal(world.asked, 1);
    last_ms = now_ms();
    for (int i = 0; i < 300; i++) { /* ten leases long */
        int renewals = db.renewal_count;

        advance(STEP_MS);
        assert_true(now_ms() - last_ms < LEASE_MS / 2);
        if (db.renewal_count > renewals)
            last_ms = now_ms();
    }
    assert_int_equal(db.renewals[0].lease_ms, LEASE_MS);
}

static void test_a_renewal_carries_the_fencing_token_of_each_job(void **state)
{
    (void)state;
    add_row(1, 6, 0);
    add_row(2, 40, 0);
    nudge();
    advance(LEASE_MS / 3);
    assert_int_equal(db.renewals[0].count, 2);
    for (int i = 0; i < 2; i++) {
        int64_t id = db.renewals[0].ids[i];

        assert_true(id == 1 || id == 2);
        assert_int_equal(db.renewals[0].attempts[i], id == 1 ? 7 : 41);
    }
}

static void test_an_ended_job_is_not_renewed(void **state)
{
    (void)state;
    world.outcome = RECOGNIZED_OK;
    add_row(1, 0, 0);
    nudge();
    assert_int_equal(db.finish_count, 1);
    advance(LEASE_MS);
    assert_int_equal(db.renewal_count, 0);
}

static void test_a_job_is_renewed_while_its_finish_backs_off(void **state)
{
    (void)state;
    world.outcome = RECOGNIZED_OK;
    db.script = "ffffffffffffffff";
    add_row(1, 0, 0);
    nudge();
    advance(LEASE_MS / 3);
    assert_int_equal(db.renewals[0].count, 1);
}

/* --- what is written back --- */

static void test_faces_are_finished_under_the_fencing_token(void **state)
{
    (void)state;
    world.outcome = RECOGNIZED_OK;
    add_row(1, 6, 0);
    nudge();
    assert_int_equal(db.finish_count, 1);
    assert_int_equal(db.finishes[0].outcome, OUTCOME_FACES);
    assert_int_equal(db.finishes[0].attempt, 7);
    assert_int_equal(db.finishes[0].face_count, 1);
}

static void test_the_back_off_of_a_retry_doubles_up_to_a_limit(void **state)
{
    static const int outcomes[] = {RECOGNIZED_FAILED, RECOGNIZED_CRASHED, RECOGNIZED_TIMEOUT, RECOGNIZED_UNAVAILABLE};
    int64_t expected = BACKOFF_MS;

    (void)state;
    for (int tries = 0; tries < 100; tries++) {
        world.outcome = outcomes[tries % 4];
        add_row(1, 0, tries);
        nudge();
        assert_int_equal(db.finish_count, tries + 1);
        assert_int_equal(db.finishes[tries].outcome, OUTCOME_RETRY);
        assert_int_equal(db.finishes[tries].crashed, world.outcome == RECOGNIZED_CRASHED);
        assert_int_equal(db.finishes[tries].delay_ms, expected);
        expected = expected * 2 < BACKOFF_MAX_MS ? expected * 2 : BACKOFF_MAX_MS;
    }
}

static void test_busy_or_open_costs_no_try(void **state)
{
    static const int outcomes[] = {RECOGNIZED_BUSY, RECOGNIZED_OPEN, RECOGNIZED_STOPPING};
    static const int64_t delays[] = {100, 100, 0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        world.outcome = outcomes[i];
        add_row(1, 0, 0);
        nudge();
        assert_int_equal(db.finishes[i].outcome, OUTCOME_RELEASE);
        assert_int_equal(db.finishes[i].delay_ms, delays[i]);
    }
}

static void test_a_recogniser_that_never_answers_costs_a_try(void **state)
{
    (void)state;
    add_row(1, 0, 0);
    nudge();
    advance(CALL_MS);
    assert_int_equal(db.finish_count, 1);
    assert_int_equal(db.finishes[0].outcome, OUTCOME_RETRY);
    assert_int_equal(db.finishes[0].delay_ms, BACKOFF_MS);
}

static void test_poison_is_in_quarantine_for_the_time_of_the_setting(void **state)
{
    (void)state;
    world.outcome = RECOGNIZED_CRASHED;
    db.poison = true;
    add_row(1, 2, 2);
    nudge();
    assert_int_equal(db.quarantine_ms, QUARANTINE_MS);
    assert_string_equal(db.quarantined, "abc");
    assert_int_equal(world.quarantine_told, 1);
}

/* --- a store that cannot write, or will not --- */

static void test_a_finish_that_fails_now_is_repeated_with_back_off(void **state)
{
    static const uint64_t waits[] = {500, 1000, 2000, 4000, 8000, 8000, 8000};

    (void)state;
    world.outcome = RECOGNIZED_OK;
    db.script = "fffffff";
    add_row(1, 0, 0);
    nudge();
    for (int i = 0; i < 7; i++) {
        assert_int_equal(db.finish_count, i + 1);
        advance(waits[i] - 1);
        assert_int_equal(db.finish_count, i + 1);
        advance(1);
    }
    assert_int_equal(db.finish_count, 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(db.finishes[i].outcome, OUTCOME_FACES);
        assert_int_equal(db.finishes[i].face_count, 1);
    }
    assert_int_equal(db.rows[0].status, IMAGE_PROCESSED);
}

static void test_a_result_that_is_refused_for_good_becomes_a_failure_without_data(void **state)
{
    (void)state;
    world.outcome = RECOGNIZED_OK;
    db.script = "r";
    add_row(1, 6, 0);
    nudge();
    assert_int_equal(db.finish_count, 2);
    assert_int_equal(db.finishes[1].at_ms, db.finishes[0].at_ms);
    assert_int_equal(db.finishes[1].outcome, OUTCOME_FAILED);
    assert_int_equal(db.finishes[1].attempt, 7);
    assert_int_equal(db.finishes[1].face_count, 0);
    assert_false(db.finishes[1].has_sha256);
    assert_string_equal(db.finishes[1].reason, "the database refused the result; the log has the reason");
    assert_int_equal(db.rows[0].status, IMAGE_FAILED);
}

static void test_a_failure_in_place_of_a_result_is_repeated_when_the_disk_is_full(void **state)
{
    (void)state;
    world.outcome = RECOGNIZED_OK;
    db.script = "rf";
    add_row(1, 0, 0);
    nudge();
    assert_int_equal(db.finish_count, 2);
    advance(500);
    assert_int_equal(db.finish_count, 3);
    assert_int_equal(db.finishes[2].outcome, OUTCOME_FAILED);
    assert_int_equal(db.rows[0].status, IMAGE_FAILED);
}

static void test_a_job_that_can_never_be_finished_is_dropped_and_does_not_block_the_queue(void **state)
{
    (void)state;
    set_ready_workers(1); /* one place: a stuck job would be all that runs */
    world.outcome = RECOGNIZED_OK;
    db.script = "rr";
    add_row(1, 0, 0);
    add_row(2, 0, 0);
    nudge();
    assert_int_equal(db.finishes[0].id, 1);
    assert_int_equal(db.finishes[1].id, 1);
    assert_int_equal(db.finishes[2].id, 2);
    assert_int_equal(db.rows[0].status, IMAGE_PROCESSING);
    assert_int_equal(db.rows[1].status, IMAGE_PROCESSED);
    advance(2 * LEASE_MS);
    assert_int_equal(db.finish_count, 3);  /* not asked again */
    assert_int_equal(db.renewal_count, 0); /* and its lease ends */
}

/* --- claims and the work queue --- */

static void test_a_work_item_is_answered_after_its_claim_has_committed(void **state)
{
    (void)state;
    add_row(3, 0, 0);
    db.hold_claims = true;
    bring_item(3);
    assert_int_equal(db.claims, 1);
    assert_int_equal(db.last_id_count, 1);
    assert_int_equal(db.last_ids[0], 3);
    advance(POLL_MS);
    assert_int_equal(world.items_answered, 0);
    answer_claim();
    assert_int_equal(world.items_answered, 1);
    assert_int_equal(world.asked, 1);
}

static void test_a_work_item_is_answered_when_its_claim_is_refused(void **state)
{
    (void)state;
    bring_item(3); /* another node has it */
    assert_int_equal(world.items_answered, 1);
    db.claim_status = STORE_AWAY;
    bring_item(4);
    assert_int_equal(world.items_answered, 2);
    assert_int_equal(world.asked, 0);
}

static void test_a_work_item_without_capacity_is_left_to_the_poll(void **state)
{
    (void)state;
    set_ready_workers(0);
    add_row(3, 0, 0);
    bring_item(3);
    assert_int_equal(world.items_answered, 1);
    assert_int_equal(world.asked, 0);
    set_ready_workers(1);
    assert_int_equal(world.asked, 1);
}

static void test_the_work_queue_hears_how_many_more_can_be_claimed(void **state)
{
    (void)state;
    assert_int_equal(world.capacity, 2);
    add_row(1, 0, 0);
    nudge();
    assert_int_equal(world.capacity, 1);
    set_breaker(BREAKER_OPEN);
    assert_int_equal(world.capacity, 0);
}

static void test_a_work_queue_that_restarts_hears_the_capacity_again(void **state)
{
    (void)state;
    world.capacity = 0;
    tell("processor", msg_new(MSG_SEND_STATE, sizeof(struct msg)));
    assert_int_equal(world.capacity, 2);
}

static void test_no_more_is_claimed_than_workers_can_take(void **state)
{
    (void)state;
    for (int i = 1; i <= 5; i++)
        add_row(i, 0, 0);
    nudge();
    assert_int_equal(db.last_max, 2);
    assert_int_equal(world.asked, 2);
    advance(10 * POLL_MS);
    assert_int_equal(world.asked, 2);
}

static void test_nothing_is_claimed_while_the_breaker_is_not_closed(void **state)
{
    static const int states[] = {BREAKER_OPEN, BREAKER_PROBING};
    int claims;

    (void)state;
    add_row(1, 0, 0);
    for (int i = 0; i < 2; i++) {
        set_breaker(states[i]);
        claims = db.claims;
        nudge();
        advance(5 * POLL_MS);
        assert_int_equal(db.claims, claims);
    }
    set_breaker(BREAKER_CLOSED);
    assert_int_equal(world.asked, 1);
}

static void test_the_poll_finds_rows_that_were_not_announced(void **state)
{
    (void)state;
    add_row(1, 0, 0);
    advance(POLL_MS * 5 / 4);
    assert_int_equal(world.asked, 1);
}

static void test_at_the_shutdown_jobs_end_and_nothing_is_claimed(void **state)
{
    (void)state;
    add_row(1, 0, 0);
    nudge();
    tell("serve", msg_new(MSG_STOPPING, sizeof(struct msg)));
    add_row(2, 0, 0);
    nudge();
    advance(10 * POLL_MS);
    assert_false(world.stopped);
    assert_int_equal(world.asked, 1);
    tell("recognizer", msg_new(MSG_ANSWER_REQUEST, sizeof(struct msg)));
    assert_int_equal(db.rows[0].status, IMAGE_FAILED);
    assert_true(world.stopped);
    assert_int_equal(world.asked, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_leases_are_renewed_when_less_than_half_has_passed),
        TEST(test_a_renewal_carries_the_fencing_token_of_each_job),
        TEST(test_an_ended_job_is_not_renewed),
        TEST(test_a_job_is_renewed_while_its_finish_backs_off),
        TEST(test_faces_are_finished_under_the_fencing_token),
        TEST(test_the_back_off_of_a_retry_doubles_up_to_a_limit),
        TEST(test_busy_or_open_costs_no_try),
        TEST(test_a_recogniser_that_never_answers_costs_a_try),
        TEST(test_poison_is_in_quarantine_for_the_time_of_the_setting),
        TEST(test_a_finish_that_fails_now_is_repeated_with_back_off),
        TEST(test_a_result_that_is_refused_for_good_becomes_a_failure_without_data),
        TEST(test_a_failure_in_place_of_a_result_is_repeated_when_the_disk_is_full),
        TEST(test_a_job_that_can_never_be_finished_is_dropped_and_does_not_block_the_queue),
        TEST(test_a_work_item_is_answered_after_its_claim_has_committed),
        TEST(test_a_work_item_is_answered_when_its_claim_is_refused),
        TEST(test_a_work_item_without_capacity_is_left_to_the_poll),
        TEST(test_the_work_queue_hears_how_many_more_can_be_claimed),
        TEST(test_a_work_queue_that_restarts_hears_the_capacity_again),
        TEST(test_no_more_is_claimed_than_workers_can_take),
        TEST(test_nothing_is_claimed_while_the_breaker_is_not_closed),
        TEST(test_the_poll_finds_rows_that_were_not_announced),
        TEST(test_at_the_shutdown_jobs_end_and_nothing_is_claimed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
