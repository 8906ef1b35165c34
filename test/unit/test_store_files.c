/* Files behind paths: paths that are posted again. On SQLite and on MariaDB. */
#include "test/unit/store_world.h"

static const struct file_stamp first = {100, 1}, second = {100, 2}, third = {101, 2};

static struct store_reply *finish_file(int64_t id, int64_t attempt, enum outcome outcome, struct file_stamp file)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    m->id = id;
    m->attempt = attempt;
    m->outcome = outcome;
    m->reason = "because";
    m->file = file;
    m->max_tries = m->max_crashes = 1;
    return ask(m);
}

/* Whether the image waits again. */
static bool post_again(int64_t id, struct file_stamp file)
{
    struct store_posted *m = STORE_MESSAGE(STORE_POSTED_AGAIN, store_posted);
    struct posted_file *files = arena_alloc(&m->m.arena, sizeof *files);

    *files = (struct posted_file){.id = id, .file = file};
    m->files = files;
    m->count = 1;
    assert_int_equal(ask(m)->status, STORE_OK);
    if (last->image_count)
        assert_true(last->images[0].id == id && last->images[0].again && last->images[0].status == IMAGE_PENDING);
    return last->image_count == 1;
}

static void test_another_file_at_the_path_of_a_finished_image_is_looked_at(void **state)
{
    static const enum outcome outcomes[] = {OUTCOME_FACES, OUTCOME_FAILED};
    int64_t id = submit("/a"), attempt = 0;

    (void)state;
    claim(1);
    for (int i = 0; i < 2; i++) {
        finish_file(id, ++attempt, outcomes[i], first);
        assert_false(post_again(id, first));
        assert_true(post_again(id, second));
        assert_false(post_again(id, third)); /* it waits already */
        expect_status_counts(1, 0, 0, 0, 0);
        assert_int_equal(claim(1), 1);
        finish_file(id, ++attempt, outcomes[i], second);
        assert_true(post_again(id, third));
        assert_int_equal(claim(1), 1);
    }
}

static void test_an_unknown_face_is_looked_at_again_too(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    claim(1);
    finish_with_face(id, 1, PERSON_UNKNOWN, 0); /* pending in the original table */
    assert_true(post_again(id, (struct file_stamp){1, INT64_MAX}));
    assert_int_equal(claim(1), 1);
}

/* Of rows of the version before the file is not known. */
static void test_without_a_stamp_a_file_that_was_written_later_is_another(void **state)
{
    int64_t id = submit("/a"), finished_ns;

    (void)state;
    claim(1);
    finish_file(id, 1, OUTCOME_FACES, (struct file_stamp){0});
    finished_ns = image(id)->finished_ms * 1000000;
    assert_false(post_again(id, (struct file_stamp){100, finished_ns - 1000000}));
    assert_true(post_again(id, (struct file_stamp){100, finished_ns + 1000000}));
}

static void test_a_file_that_changes_during_the_run_is_looked_at_behind_it(void **state)
{
    static const enum outcome outcomes[] = {OUTCOME_FACES, OUTCOME_FAILED, OUTCOME_RETRY};
    int64_t id, attempt;

    (void)state;
    for (int i = 0; i < 3; i++) {
        char path[] = {'/', (char)('a' + i), 0};

        id = submit(path);
        attempt = 0;
        claim(1);
        assert_false(post_again(id, second));
        assert_int_equal(finish_file(id, ++attempt, outcomes[i], first)->changed, 1);
        assert_true(last->images[0].again);
        expect_status_counts(1, i, 0, 0, 0);
        assert_int_equal(claim(1), 1);
        assert_int_equal(finish_file(id, ++attempt, OUTCOME_FACES, third)->changed, 1);
        assert_false(last->images[0].again); /* the begin of the run has forgotten the post */
        expect_status_counts(0, i + 1, 0, 0, 0);
        assert_false(post_again(id, third));
    }
}

static void test_a_post_of_the_file_that_the_run_has_read_makes_no_other_run(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    claim(1);
    assert_false(post_again(id, first));
    assert_int_equal(finish_file(id, 1, OUTCOME_FACES, first)->changed, 1);
    assert_false(last->images[0].again);
    expect_status_counts(0, 1, 0, 0, 0);
}

static void test_a_released_run_reads_the_file_of_the_post_later(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    claim(1);
    assert_false(post_again(id, second));
    assert_int_equal(finish_file(id, 1, OUTCOME_RELEASE, first)->changed, 1);
    expect_status_counts(1, 0, 0, 0, 0);
    assert_int_equal(claim(1), 1);
    finish_file(id, 2, OUTCOME_FACES, second);
    expect_status_counts(0, 1, 0, 0, 0);
}

/* The run of a dead process has not said which file it has read. */
static void test_a_post_during_a_run_that_dies_is_not_lost(void **state)
{
    struct store_reap *m = STORE_MESSAGE(STORE_REAP, store_reap);
    int64_t id = submit("/a");

    (void)state;
    claim(1);
    assert_false(post_again(id, second));
    m->not_owner = "another";
    m->max_tries = 1;
    assert_int_equal(ask(m)->changed, 1);
    expect_status_counts(1, 0, 0, 0, 0);
}

static void test_a_crash_does_not_make_the_file_one_that_was_looked_at(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    claim(1);
    finish_file(id, 1, OUTCOME_FACES, first);
    assert_true(post_again(id, second));
    claim(1);
    finish_file(id, 2, OUTCOME_RETRY, second);
    expect_status_counts(0, 0, 1, 0, 0);
    assert_true(post_again(id, second));
}

static void test_an_image_that_was_deleted_meanwhile_is_left_out(void **state)
{
    (void)state;
    assert_false(post_again(77, second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_another_file_at_the_path_of_a_finished_image_is_looked_at),
        TEST(test_an_unknown_face_is_looked_at_again_too),
        TEST(test_without_a_stamp_a_file_that_was_written_later_is_another),
        TEST(test_a_file_that_changes_during_the_run_is_looked_at_behind_it),
        TEST(test_a_post_of_the_file_that_the_run_has_read_makes_no_other_run),
        TEST(test_a_released_run_reads_the_file_of_the_post_later),
        TEST(test_a_post_during_a_run_that_dies_is_not_lost),
        TEST(test_a_crash_does_not_make_the_file_one_that_was_looked_at),
        TEST(test_an_image_that_was_deleted_meanwhile_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
