/* Retries: what a batch takes, in which order, and after which pause. */
#include "core/base/clock.h"
#include "test/unit/states_world.h"

enum { CROWD = 1000 };

/* Claims what waits and makes each fail: retryable, or for good. */
static void fail_all(bool retryable)
{
    while (claim(256)) {
        int count = last->image_count;
        int64_t ids[256], attempts[256];

        for (int i = 0; i < count; i++) {
            ids[i] = last->images[i].id;
            attempts[i] = last->images[i].attempt;
        }
        for (int i = 0; i < count; i++)
            finish_as(ids[i], attempts[i], retryable ? OUTCOME_RETRY : OUTCOME_FAILED, 1);
    }
}

static void submit_crowd(const char *name)
{
    char path[32];

    for (int i = 0; i < CROWD; i++) {
        snprintf(path, sizeof path, "/%s%04d", name, i);
        submit(path);
    }
}

/* The order of the tries is known to the millisecond: the next one is of a later one. */
static void next_millisecond(void)
{
    int64_t now = clock_wall_ms();

    while (clock_wall_ms() == now)
        ;
}

/* A thousand images that cannot be cured have the lower ids; those that can are retried all the same, each in turn. */
static void test_failures_for_good_keep_no_others_from_their_retry(void **state)
{
    int64_t cured[3];
    char path[32];

    (void)state;
    submit_crowd("broken");
    fail_all(false);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/%d", i);
        cured[i] = submit(path);
    }
    fail_all(true);
    for (int round = 0; round < 6; round++) {
        next_millisecond();
        assert_int_equal(retry_batch((struct batch){.limit = 1}), 1);
        fail_all(true);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(image(cured[i])->attempt, 3);
    assert_int_equal(retry_batch((struct batch){0}), 3);
}

/* Their files may have come; those that another try may cure go first. */
static void test_images_whose_files_were_missing_are_retried_after_the_others(void **state)
{
    int64_t missing[4], crashed;
    char path[32];

    (void)state;
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "/%d", i);
        missing[i] = submit(path);
        claim(1);
        finish_gone(missing[i], 1);
    }
    crashed = submit("/crashed");
    fail_all(true);
    assert_int_equal(list(IMAGE_FAILED, -1, 1), 1);
    assert_int_equal(list(IMAGE_FAILED, -1, -1), 4);
    assert_int_equal(retry_batch((struct batch){.limit = 2, .pause_ms = 90000, .pause_max_ms = 90000}), 2);
    assert_int_equal(image(crashed)->status, IMAGE_PENDING);
    assert_int_equal(image(missing[0])->status, IMAGE_PENDING);
    claim(2);
    finish_gone(missing[0], 2);
    assert_int_equal(retry_batch((struct batch){.pause_ms = 90000, .pause_max_ms = 90000}), 3);
}

/* The submission of a path is no retry of an image that failed for another cause, or of one that was looked at. */
static void test_a_missing_file_that_is_submitted_again_is_looked_at(void **state)
{
    int64_t missing = submit("/missing"), broken, done;

    (void)state;
    claim(1);
    finish_gone(missing, 1);
    broken = submit("/broken");
    claim(1);
    finish_as(broken, 1, OUTCOME_FAILED, 1);
    done = submit("/done");
    claim(1);
    finish_as(done, 1, OUTCOME_FACES, 1);
    assert_int_equal(submit("/broken"), broken);
    assert_false(last->images[0].again);
    assert_int_equal(image_shown_status(&last->images[0]), IMAGE_FAILED);
    assert_int_equal(submit("/done"), done);
    assert_false(last->images[0].again);
    assert_int_equal(submit("/missing"), missing);
    assert_true(last->images[0].again);
    assert_true(last->images[0].existing);
    assert_int_equal(last->images[0].status, IMAGE_PENDING);
    assert_int_equal(submit("/missing"), missing);
    assert_false(last->images[0].again); /* it waits already */
    assert_int_equal(claim(9), 1);
    assert_int_equal(last->images[0].id, missing);
    assert_int_equal(last->images[0].attempt, 2);
}

/* With a reason the caller knows that the cause is gone: also failures for good are taken, the oldest try first. */
static void test_a_retry_by_reason_takes_also_failures_for_good(void **state)
{
    int64_t good, faceless;

    (void)state;
    submit_crowd("broken");
    fail_all(false);
    faceless = submit("/faceless");
    claim(1);
    finish_as(faceless, 1, OUTCOME_FACES, 5);
    good = submit("/z");
    fail_all(true);
    assert_int_equal(retry_batch((struct batch){.reason = "another"}), 0);
    assert_int_equal(retry_batch((struct batch){.reason = "no face"}), 0); /* that is no failure */
    assert_int_equal(retry_batch((struct batch){.reason = "caus", .limit = CROWD}), CROWD);
    assert_int_equal(image(good)->status, IMAGE_PENDING);
    assert_int_equal(list(IMAGE_FAILED, -1, 0), 1);
    fail_all(false);
    assert_int_equal(retry_batch((struct batch){.reason = "caus"}), CROWD + 1);
}

static int64_t pause_of(int64_t id)
{
    int64_t pause_ms;

    open_observer();
    (void)id;
    pause_ms = observer_number("SELECT MAX(retry_pause) FROM images");
    close_observer();
    return pause_ms;
}

static void test_the_pause_of_an_image_doubles_up_to_its_limit_and_ends_with_success(void **state)
{
    static const int64_t pauses[] = {1000, 2000, 4000, 5000, 5000};
    const struct batch now = {.pause_ms = 1000, .pause_max_ms = 5000, .now = true},
                       due = {.pause_ms = 1000, .pause_max_ms = 5000};
    int64_t id = submit("/a");

    (void)state;
    fail_all(true);
    assert_int_equal(retry_batch(due), 1); /* the first one has no pause before it */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pause_of(id), pauses[i]);
        fail_all(true);
        assert_int_equal(retry_batch(due), 0);
        assert_int_equal(retry_batch(now), 1);
    }
    open_observer();
    fail_all(true);
    observer_run("UPDATE images SET finished_at = finished_at - 5001");
    close_observer();
    assert_int_equal(retry_batch(due), 1);
    claim(1);
    finish_with_face(id, last->images[0].attempt, PERSON_UNKNOWN, 0);
    assert_int_equal(pause_of(id), 0);
}

static void test_one_image_is_retried_on_request_whatever_its_pause(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    fail_all(true);
    assert_int_equal(retry_batch((struct batch){.pause_ms = 100000, .pause_max_ms = 100000}), 1);
    fail_all(true);
    assert_int_equal(retry_batch((struct batch){.pause_ms = 100000, .pause_max_ms = 100000}), 0);
    assert_int_equal(retry_one(id)->changed, 1);
    fail_all(true);
    assert_int_equal(retry_batch((struct batch){.pause_ms = 100000, .pause_max_ms = 100000}), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_failures_for_good_keep_no_others_from_their_retry),
        TEST(test_images_whose_files_were_missing_are_retried_after_the_others),
        TEST(test_a_missing_file_that_is_submitted_again_is_looked_at),
        TEST(test_a_retry_by_reason_takes_also_failures_for_good),
        TEST(test_the_pause_of_an_image_doubles_up_to_its_limit_and_ends_with_success),
        TEST(test_one_image_is_retried_on_request_whatever_its_pause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
