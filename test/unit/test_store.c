/* What a run of an image may and may not change. */
#include "test/unit/store_world.h"

static void test_a_path_is_one_row(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    assert_int_equal(submit("/a"), id);
    assert_true(last->images[0].existing);
    assert_true(submit("/b") > id);
    expect_status_counts(2, 0, 0, 0, 0);
}

static void test_a_claim_is_exclusive_and_raises_the_fencing_token(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    assert_int_equal(claim(10), 1);
    assert_int_equal(last->images[0].attempt, 1);
    assert_int_equal(last->images[0].id, id);
    assert_int_equal(claim(10), 0);
    expect_status_counts(0, 0, 0, 1, 0);
}

static void test_an_old_token_changes_nothing(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    claim(1);
    assert_int_equal(finish(id, 1, OUTCOME_RETRY, false)->changed, 1);
    assert_int_equal(claim(1), 1);
    assert_int_equal(last->images[0].attempt, 2);
    assert_int_equal(finish_with_face(id, 1, PERSON_UNKNOWN, 0)->changed, 0);
    assert_int_equal(image(id)->status, IMAGE_PROCESSING);
    assert_int_equal(image(id)->face_count, 0);
    assert_int_equal(finish_with_face(id, 2, PERSON_UNKNOWN, 0)->changed, 1);
    assert_int_equal(finish(id, 2, OUTCOME_FAILED, false)->changed, 0); /* finished once */
    assert_int_equal(image(id)->verdict, VERDICT_UNKNOWN);
    expect_status_counts(0, 1, 0, 0, 1);
}

static void test_a_known_person_is_processed_an_unknown_one_waits_and_is_not_requeued(void **state)
{
    int64_t who = person("Ann"), known = submit("/a"), unknown = submit("/b");

    (void)state;
    claim(2);
    finish_with_face(known, 1, who, 0.3);
    finish_with_face(unknown, 1, PERSON_UNKNOWN, 0);
    assert_int_equal(image(known)->status, IMAGE_PROCESSED);
    assert_int_equal(image(known)->person, who);
    assert_string_equal(last->images[0].person_name, "Ann");
    assert_int_equal(image(unknown)->status, IMAGE_PENDING);
    assert_int_equal(last->images[0].person, PERSON_UNKNOWN);
    assert_int_equal(claim(10), 0);
    expect_status_counts(0, 2, 0, 0, 1);
}

static void test_crashes_poison_at_the_third(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    for (int attempt = 1; attempt <= 3; attempt++) {
        assert_int_equal(claim(1), 1);
        finish(id, attempt, OUTCOME_RETRY, true);
    }
    assert_int_equal(image(id)->status, IMAGE_FAILED);
    assert_string_equal(last->images[0].reason, "poison");
}

static void test_tries_run_out_at_the_fifth_and_a_release_costs_none(void **state)
{
    int64_t id = submit("/a"), attempt = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(claim(1), 1);
        finish(id, ++attempt, OUTCOME_RELEASE, false);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(image(id)->status, IMAGE_PENDING);
        assert_int_equal(claim(1), 1);
        finish(id, ++attempt, OUTCOME_RETRY, false);
    }
    assert_int_equal(image(id)->status, IMAGE_FAILED);
    assert_string_equal(last->images[0].reason, "because");
}

static int64_t renew(int64_t id, int64_t attempt, int64_t lease_ms)
{
    struct store_renew *m = STORE_MESSAGE(STORE_RENEW, store_renew);

    m->ids = &id;
    m->attempts = &attempt;
    m->count = 1;
    m->lease_ms = lease_ms;
    return ask(m)->changed;
}

static int64_t reap_expired(void)
{
    struct store_reap *m = STORE_MESSAGE(STORE_REAP, store_reap);

    m->max_tries = 5;
    return ask(m)->changed;
}

static void test_a_lease_is_renewed_by_its_own_attempt_only(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    claim(1);
    finish(id, 1, OUTCOME_RELEASE, false);
    claim(1);
    assert_int_equal(renew(id, 1, -1000), 0); /* the token of the earlier run */
    assert_int_equal(reap_expired(), 0);
    assert_int_equal(renew(id, 2, -1000), 1);
    assert_int_equal(reap_expired(), 1);
    assert_int_equal(renew(id, 2, 30000), 0); /* it is not processed any more */
    assert_int_equal(image(id)->status, IMAGE_PENDING);
}

static void test_a_dead_process_leases_are_taken_back(void **state)
{
    int64_t id = submit("/a");
    struct store_reap *m;

    (void)state;
    claim(1);
    m = STORE_MESSAGE(STORE_REAP, store_reap);
    m->not_owner = "me"; /* its own stay */
    m->max_tries = 5;
    assert_int_equal(ask(m)->changed, 0);
    m = STORE_MESSAGE(STORE_REAP, store_reap);
    m->not_owner = "the next one";
    m->max_tries = 5;
    assert_int_equal(ask(m)->changed, 1);
    assert_int_equal(image(id)->status, IMAGE_PENDING);
    assert_int_equal(finish(id, 1, OUTCOME_FAILED, false)->changed, 0);
    expect_status_counts(1, 0, 0, 0, 0);
}

static void test_retry_starts_over_but_keeps_the_token_growing(void **state)
{
    int64_t id = submit("/a");
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);

    (void)state;
    claim(1);
    finish(id, 1, OUTCOME_FAILED, false);
    expect_status_counts(0, 0, 1, 0, 0);
    m->id = id;
    assert_int_equal(ask(m)->changed, 1);
    assert_int_equal(claim(1), 1);
    assert_int_equal(last->images[0].attempt, 2);
    assert_int_equal(last->images[0].tries, 1);
    m = STORE_MESSAGE(STORE_RETRY, store_retry);
    m->id = id;
    assert_int_equal(ask(m)->status, STORE_CONFLICT);
    m = STORE_MESSAGE(STORE_RETRY, store_retry);
    m->id = 99;
    assert_int_equal(ask(m)->status, STORE_NOT_FOUND);
}

static void test_a_deleted_image_cannot_be_finished(void **state)
{
    int64_t id = submit("/a");
    struct store_id *m = STORE_MESSAGE(STORE_DELETE, store_id);

    (void)state;
    claim(1);
    m->id = id;
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_int_equal(finish_with_face(id, 1, PERSON_UNKNOWN, 0)->changed, 0);
    expect_status_counts(0, 0, 0, 0, 0);
}

static void test_many_at_once_with_the_same_among_them(void **state)
{
    struct store_submit *m = STORE_MESSAGE(STORE_SUBMIT, store_submit);
    const char **paths = arena_alloc(&m->m.arena, 200 * sizeof *paths);
    int existing = 0;

    (void)state;
    submit("/7");
    for (int i = 0; i < 200; i++)
        paths[i] = arena_printf(&m->m.arena, "/%d", i % 150);
    m->paths = paths;
    m->count = 200;
    assert_int_equal(ask(m)->image_count, 200);
    for (int i = 0; i < 200; i++) {
        assert_true(last->images[i].id > 0);
        assert_int_equal(last->images[i].id, last->images[i % 150].id);
        existing += last->images[i].existing;
    }
    assert_int_equal(existing, 51);
    expect_status_counts(150, 0, 0, 0, 0);
}

static void test_a_claim_of_named_images_takes_only_those_that_are_due(void **state)
{
    int64_t ids[3] = {submit("/a"), submit("/b"), 99};
    struct store_claim *m = STORE_MESSAGE(STORE_CLAIM, store_claim);

    (void)state;
    submit("/c");
    m->ids = ids;
    m->id_count = 3;
    m->max = 10;
    m->owner = "me";
    m->lease_ms = 30000;
    assert_int_equal(ask(m)->image_count, 2);
    assert_int_equal(last->images[0].attempt, 1);
    assert_int_equal(claim(10), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_path_is_one_row),
        TEST(test_a_claim_is_exclusive_and_raises_the_fencing_token),
        TEST(test_an_old_token_changes_nothing),
        TEST(test_a_known_person_is_processed_an_unknown_one_waits_and_is_not_requeued),
        TEST(test_crashes_poison_at_the_third),
        TEST(test_tries_run_out_at_the_fifth_and_a_release_costs_none),
        TEST(test_a_lease_is_renewed_by_its_own_attempt_only),
        TEST(test_a_dead_process_leases_are_taken_back),
        TEST(test_retry_starts_over_but_keeps_the_token_growing),
        TEST(test_a_deleted_image_cannot_be_finished),
        TEST(test_many_at_once_with_the_same_among_them),
        TEST(test_a_claim_of_named_images_takes_only_those_that_are_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
