/* What clients are shown of an image: each way through its states, the lists, and the counts. */
#include "test/unit/states_world.h"

static void expect_partial(int64_t id, bool partial)
{
    assert_int_equal(image(id)->partial, partial);
}

/* Its file is cut short. */
static void finish_partial(int64_t id, int64_t attempt)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    m->id = id;
    m->attempt = attempt;
    m->outcome = OUTCOME_FACES;
    m->partial = true;
    ask(m);
}

/* The image is in the lists of its shown status and verdict, and in no other. */
static void expect_shown(int64_t id, int status, int verdict, bool retryable)
{
    struct image *shown = image(id);

    assert_int_equal(image_shown_status(shown), status);
    assert_int_equal(shown->verdict, verdict);
    assert_int_equal(shown->cure == CURE_RETRY, retryable);
    for (int s = 0; s < IMAGE_STATUSES; s++)
        assert_int_equal(list(s, -1, 0), s == status);
    for (int v = VERDICT_KNOWN; v < IMAGE_VERDICTS; v++) {
        assert_int_equal(list(-1, v, 0), v == verdict);
        assert_int_equal(list(IMAGE_PROCESSED, v, 0), v == verdict);
        assert_int_equal(list(IMAGE_PENDING, v, 0), 0);
        assert_int_equal(list(IMAGE_FAILED, v, 0), 0);
    }
    assert_int_equal(list(IMAGE_FAILED, -1, 1), status == IMAGE_FAILED && retryable);
    assert_int_equal(list(IMAGE_FAILED, -1, -1), status == IMAGE_FAILED && !retryable);
    expect_status_counts(status == IMAGE_PENDING, status == IMAGE_PROCESSED, status == IMAGE_FAILED,
                         status == IMAGE_PROCESSING, verdict == VERDICT_UNKNOWN);
    assert_int_equal(last->counts.no_face, verdict == VERDICT_NO_FACE);
}

static void test_each_outcome_is_shown_as_what_it_is(void **state)
{
    int64_t id = submit("/a"), ann = person("Ann"), attempt = 0;

    (void)state;
    expect_shown(id, IMAGE_PENDING, VERDICT_NONE, false);
    claim(1);
    expect_shown(id, IMAGE_PROCESSING, VERDICT_NONE, false);
    finish_as(id, ++attempt, OUTCOME_RETRY, 5);
    expect_shown(id, IMAGE_PENDING, VERDICT_NONE, false);
    claim(1);
    finish_as(id, ++attempt, OUTCOME_RELEASE, 5);
    expect_shown(id, IMAGE_PENDING, VERDICT_NONE, false);
    claim(1);
    finish_as(id, ++attempt, OUTCOME_RETRY, 1);
    expect_shown(id, IMAGE_FAILED, VERDICT_NONE, true);
    retry_one(id);
    expect_shown(id, IMAGE_PENDING, VERDICT_NONE, false);
    claim(1);
    finish_as(id, ++attempt, OUTCOME_FAILED, 5);
    expect_shown(id, IMAGE_FAILED, VERDICT_NONE, false);
    retry_one(id);
    claim(1);
    finish_as(id, ++attempt, OUTCOME_FACES, 5); /* none */
    expect_shown(id, IMAGE_PROCESSED, VERDICT_NO_FACE, false);
    expect_partial(id, false);
    retry_one(id);
    claim(1);
    finish_partial(id, ++attempt);
    expect_shown(id, IMAGE_PROCESSED, VERDICT_NO_FACE, false);
    expect_partial(id, true);
    retry_one(id);
    claim(1);
    finish_as(id, ++attempt, OUTCOME_RELEASE, 5);
    expect_partial(id, true); /* until it is looked at again */
    claim(1);
    finish_with_face(id, ++attempt, PERSON_UNKNOWN, 0);
    expect_shown(id, IMAGE_PROCESSED, VERDICT_UNKNOWN, false);
    retry_one(id);
    claim(1);
    finish_with_face(id, ++attempt, ann, 0.3);
    expect_shown(id, IMAGE_PROCESSED, VERDICT_KNOWN, false);
}

/* Failed images have two states in the table; one list holds both, page by page. */
static void test_the_list_of_failed_images_has_no_gap_between_pages(void **state)
{
    int64_t ids[9], after = 0;
    char path[32];
    int seen = 0;

    (void)state;
    for (int i = 0; i < 9; i++) {
        snprintf(path, sizeof path, "/%d", i);
        ids[i] = submit(path);
        claim(1);
        finish_as(ids[i], 1, i % 3 ? OUTCOME_FAILED : OUTCOME_RETRY, 1);
    }
    do {
        struct store_list *m = STORE_MESSAGE(STORE_IMAGES, store_list);

        m->status = IMAGE_FAILED;
        m->verdict = -1;
        m->after = after;
        m->limit = 2;
        ask(m);
        for (int i = 0; i < last->image_count; i++, seen++)
            assert_int_equal(last->images[i].id, ids[8 - seen]);
        after = last->next;
    } while (after);
    assert_int_equal(seen, 9);
}

/* Programs of the original table read its numbers. */
static void test_the_numbers_of_the_original_table_stay(void **state)
{
    int64_t known = submit("/a"), unknown = submit("/b"), faceless = submit("/c"), broken = submit("/d");

    (void)state;
    claim(4);
    finish_with_face(known, 1, person("Ann"), 0.3);
    finish_with_face(unknown, 1, PERSON_UNKNOWN, 0);
    finish_as(faceless, 1, OUTCOME_FACES, 5);
    finish_as(broken, 1, OUTCOME_FAILED, 5);
    open_observer();
    assert_int_equal(observer_number("SELECT COUNT(*) FROM images WHERE path = '/a' AND status = 1 AND person > 0"), 1);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM images WHERE path = '/b' AND status = 0 AND person = -1"),
                     1);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM images WHERE path = '/c' AND status = 2 AND person = -1"),
                     1);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM images WHERE path = '/d' AND status = 2 AND person = -1"),
                     1);
    close_observer();
    expect_status_counts(0, 3, 1, 0, 1);
}

static void test_poison_is_not_retryable(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    for (int attempt = 1; attempt <= 3; attempt++) {
        claim(1);
        finish(id, attempt, OUTCOME_RETRY, true);
    }
    expect_shown(id, IMAGE_FAILED, VERDICT_NONE, false);
    assert_int_equal(retry_batch((struct batch){0}), 0);
    assert_int_equal(retry_one(id)->changed, 1);
}

static void test_the_limit_of_the_queue_counts_only_what_waits(void **state)
{
    char path[32];

    (void)state;
    if (strcmp(database(), "sqlite") != 0)
        return; /* the writers of a server count each for itself between two readings */
    close_store();
    queue_limit = 3;
    open_store();
    queue_limit = 1000;
    for (int i = 0; i < 12; i++) {
        snprintf(path, sizeof path, "/%d", i);
        int64_t id = submit(path);

        assert_int_equal(claim(1), 1);
        if (i % 2)
            finish_with_face(id, 1, PERSON_UNKNOWN, 0);
        else
            finish_as(id, 1, OUTCOME_FACES, 5);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/more%d", i);
        submit(path);
    }
    assert_int_equal(ask(submission("/too-many"))->status, STORE_NO_SPACE);
}

/* --- faces that are none --- */

static void test_an_image_whose_faces_are_none_has_no_face(void **state)
{
    int64_t id = submit("/a"), ann = person("Ann");

    (void)state;
    claim(1);
    finish_with_face(id, 1, PERSON_UNKNOWN, 0);
    open_observer();
    observer_run("UPDATE faces SET word = 3");
    close_observer();
    retry_one(id);
    claim(1);
    finish_with_face(id, 2, ann, 0.3);
    expect_shown(id, IMAGE_PROCESSED, VERDICT_NO_FACE, false);
}

static void test_a_named_face_makes_an_image_without_others_known(void **state)
{
    int64_t id = submit("/a"), ann = person("Ann");
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_FACE, store_name_face);

    (void)state;
    claim(1);
    finish_with_face(id, 1, PERSON_UNKNOWN, 0);
    m->face = image(id)->faces[0].id;
    m->person = ann;
    assert_int_equal(ask(m)->status, STORE_OK);
    expect_shown(id, IMAGE_PROCESSED, VERDICT_KNOWN, false);
    retry_one(id);
    claim(1);
    finish_as(id, 2, OUTCOME_FACES, 5); /* it is not found again */
    expect_shown(id, IMAGE_PROCESSED, VERDICT_KNOWN, false);
}

/* --- the counts --- */

static uint32_t seed;

static uint32_t pick(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void walk_finish(int64_t ann)
{
    int64_t id, attempt;

    if (claim(1) == 0)
        return;
    id = last->images[0].id;
    attempt = last->images[0].attempt;
    switch (pick(7)) {
    case 0:
        finish_with_face(id, attempt, ann, 0.3);
        break;
    case 1:
    case 2:
        finish_with_face(id, attempt, PERSON_UNKNOWN, 0);
        break;
    case 3:
        finish_as(id, attempt, OUTCOME_FACES, 5);
        break;
    case 4:
        finish_as(id, attempt, OUTCOME_FAILED, 5);
        break;
    case 5:
        finish_as(id, attempt, OUTCOME_RETRY, pick(2) ? 1 : 5);
        break;
    default:
        finish_as(id, attempt, pick(2) ? OUTCOME_RELEASE : OUTCOME_RETRY, 5);
    }
}

static void walk_name(int64_t face, int64_t ann)
{
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_FACE, store_name_face);

    m->face = face;
    m->person = ann;
    m->no_template = true;
    ask(m);
}

static void walk_say(int64_t id, int64_t ann, bool deny)
{
    const struct image *i = image(id);
    struct store_word *m;

    if (last->status != STORE_OK || !i->face_count)
        return;
    if (!deny) {
        walk_name(i->faces[0].id, ann);
        return;
    }
    m = STORE_MESSAGE(STORE_WORD, store_word);
    m->kind = WORD_NOT;
    m->face = i->faces[0].id;
    m->person = ann;
    ask(m);
}

static void walk_step(int64_t ann)
{
    struct store_id *m;
    char path[32];
    int64_t id = 1 + pick(40);

    snprintf(path, sizeof path, "/%u", pick(30));
    switch (pick(9)) {
    case 0:
    case 1:
        submit(path);
        break;
    case 2:
    case 3:
    case 4:
        walk_finish(ann);
        break;
    case 5:
        retry_one(id);
        break;
    case 6:
        retry_batch((struct batch){.limit = pick(3)});
        break;
    case 7:
        walk_say(id, ann, pick(2));
        break;
    default:
        m = STORE_MESSAGE(STORE_DELETE, store_id);
        m->id = id;
        ask(m);
    }
}

#define COUNT(condition) observer_number("SELECT COUNT(*) FROM images WHERE " condition)

static void expect_true_counts(void)
{
    int unknown = (int)COUNT("status = 0 AND verdict = 2"), no_face = (int)COUNT("status = 2 AND verdict = 3");

    expect_status_counts((int)COUNT("status = 0") - unknown, (int)COUNT("status = 1") + unknown + no_face,
                         (int)COUNT("status = 2") - no_face, (int)COUNT("status = 3"), unknown);
    assert_int_equal(last->counts.no_face, no_face);
    assert_int_equal(ask(STORE_MESSAGE(STORE_RECOUNT, store_list))->changed, 0);
    assert_int_equal(list(IMAGE_FAILED, -1, 0), COUNT("status = 2") - no_face);
    assert_int_equal(list(IMAGE_PROCESSED, -1, 0), COUNT("status = 1") + unknown + no_face);
    assert_int_equal(list(-1, VERDICT_UNKNOWN, 0), unknown);
}

static void test_the_counts_are_true_after_any_walk(void **state)
{
    enum { STEPS = 1500, EVERY = 25 };
    int64_t ann = person("Ann");

    (void)state;
    seed = 1;
    open_observer();
    for (int i = 1; i <= STEPS; i++) {
        walk_step(ann);
        if (i % EVERY == 0)
            expect_true_counts();
    }
    close_observer();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_outcome_is_shown_as_what_it_is),
        TEST(test_the_list_of_failed_images_has_no_gap_between_pages),
        TEST(test_the_numbers_of_the_original_table_stay),
        TEST(test_poison_is_not_retryable),
        TEST(test_the_limit_of_the_queue_counts_only_what_waits),
        TEST(test_an_image_whose_faces_are_none_has_no_face),
        TEST(test_a_named_face_makes_an_image_without_others_known),
        TEST(test_the_counts_are_true_after_any_walk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
