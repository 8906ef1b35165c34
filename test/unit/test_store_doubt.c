/* Names in doubt: what puts an image among those for review, what ends that, the lists and the count. */
#include "test/unit/merge_world.h"

enum { PAGE = 100 };

static int64_t ann, bo, cy;

struct likeness {
    double similarity, quality;
    int64_t second; /* 0: no second person */
    double second_similarity;
    int64_t second_template;
};
static const struct likeness sure = {.similarity = 0.9, .quality = 1};
static const struct likeness near = {.similarity = 0.55, .quality = 1};

static struct likeness between(int64_t second)
{
    return (struct likeness){.similarity = 0.9, .quality = 1, .second = second, .second_similarity = 0.85};
}

static const struct candidate *candidates_of(struct arena *arena, int64_t who, const struct likeness *l, int *count)
{
    struct candidate *list = arena_alloc(arena, 2 * sizeof *list);

    list[0] = (struct candidate){.person = who, .similarity = l->similarity};
    list[1] =
        (struct candidate){.person = l->second, .similarity = l->second_similarity, .template = l->second_template};
    *count = l->second ? 2 : 1;
    return list;
}

/* The end of a run: one face, which the gallery has given to the person. */
static void finish_like(int64_t id, int64_t attempt, int64_t who, struct likeness l)
{
    struct store_finish *m = finish_of_face(id, attempt, who, 0.3);

    m->faces[0].similarity = l.similarity;
    m->faces[0].quality = (float)l.quality;
    m->faces[0].candidates = candidates_of(&m->m.arena, who, &l, &m->faces[0].candidate_count);
    assert_int_equal(ask(m)->changed, 1);
}

static int64_t image_like(int64_t who, struct likeness l)
{
    char path[32];
    int64_t id;

    snprintf(path, sizeof path, "/image/%d", images_made++);
    id = submit(path);
    assert_int_equal(claim(1), 1);
    finish_like(id, 1, who, l);
    return id;
}

static int64_t face_in(int64_t id)
{
    return image(id)->faces[0].id;
}

/* The gallery decides the face again. */
static void resolve(int64_t id, int64_t was, int64_t who, struct likeness l)
{
    const int64_t face = face_in(id);
    struct store_resolve *m = STORE_MESSAGE(STORE_RESOLVE, store_resolve);
    struct resolved *r = arena_alloc(&m->m.arena, sizeof *r);

    *r = (struct resolved){
        .face = face, .image = id, .was = was, .person = who, .similarity = l.similarity, .again = true};
    r->candidates = candidates_of(&m->m.arena, who, &l, &r->candidate_count);
    m->faces = r;
    m->count = 1;
    assert_int_equal(ask(m)->status, STORE_OK);
}

static struct store_reply *list_review(int review, int64_t who, int status, int verdict)
{
    struct store_list *m = STORE_MESSAGE(STORE_IMAGES, store_list);

    m->status = status;
    m->verdict = verdict;
    m->review = review;
    m->person = who;
    m->limit = PAGE;
    assert_int_equal(ask(m)->status, STORE_OK);
    return last;
}

static bool listed(int review, int64_t who, int64_t id)
{
    struct store_reply *r = list_review(review, who, -1, -1);

    for (int i = 0; i < r->image_count; i++)
        if (r->images[i].id == id)
            return true;
    return false;
}

/* The image, its face, both lists and the count agree. */
static void expect_doubt(int64_t id, int doubt)
{
    struct image *shown = image(id);

    assert_int_equal(image_doubt(shown), doubt);
    assert_int_equal(shown->faces[0].doubt, doubt);
    assert_int_equal(listed(1, 0, id), doubt != 0);
    assert_int_equal(listed(-1, 0, id), doubt == 0);
    assert_int_equal(ask(STORE_MESSAGE(STORE_STATUS_COUNTS, store_list))->counts.review,
                     number("SELECT COUNT(*) FROM doubts", 0, 0));
}

static void say(int kind, int64_t id, int64_t who, bool take_back)
{
    int64_t face = face_in(id);
    struct store_word *m = STORE_MESSAGE(STORE_WORD, store_word);

    m->kind = kind;
    m->face = face;
    m->person = who;
    m->take_back = take_back;
    assert_int_equal(ask(m)->status, STORE_OK);
}

static int setup_doubt(void **state)
{
    int result = setup_merge(state);

    ann = person("Ann");
    bo = person("Bo");
    cy = person("Cy");
    return result;
}

static int64_t events_of(int64_t id)
{
    return number("SELECT COUNT(*) FROM events WHERE image_id = ?", id, 0);
}

/* --- reasons and lists --- */

static void test_each_reason_is_stored_with_its_face(void **state)
{
    int64_t id = image_like(ann, sure);

    (void)state;
    expect_doubt(id, 0);
    expect_doubt(image_like(ann, near), DOUBT_NEAR_THRESHOLD);
    expect_doubt(id = image_like(ann, between(bo)), DOUBT_SMALL_MARGIN);
    assert_int_equal(image(id)->faces[0].rival, bo);
    expect_doubt(image_like(ann, (struct likeness){.similarity = 0.9, .quality = 0.2}), DOUBT_LOW_QUALITY);
    expect_doubt(image_like(PERSON_UNKNOWN, near), 0);
    expect_doubt(image_like(ann, (struct likeness){0.55, 0.2, bo, 0.54, 0}), DOUBT_ALL);
}

static void test_the_list_for_review_combines_with_the_others(void **state)
{
    int64_t of_ann = image_like(ann, near), of_bo = image_like(bo, near), certain = image_like(ann, sure),
            unknown = image_like(PERSON_UNKNOWN, near);

    (void)state;
    assert_int_equal(list_review(1, 0, -1, -1)->image_count, 2);
    assert_int_equal(last->images[0].id, of_bo);
    assert_int_equal(last->images[1].id, of_ann);
    assert_int_equal(list_review(1, ann, -1, -1)->image_count, 1);
    assert_int_equal(last->images[0].id, of_ann);
    assert_int_equal(list_review(1, ann, IMAGE_PROCESSED, VERDICT_KNOWN)->image_count, 1);
    assert_int_equal(list_review(1, 0, -1, VERDICT_UNKNOWN)->image_count, 0);
    assert_int_equal(list_review(1, 0, IMAGE_FAILED, -1)->image_count, 0);
    assert_int_equal(list_review(1, cy, -1, -1)->image_count, 0);
    assert_int_equal(list_review(-1, 0, -1, -1)->image_count, 2);
    assert_int_equal(last->images[0].id, unknown);
    assert_int_equal(last->images[1].id, certain);
    assert_int_equal(list_review(-1, ann, -1, -1)->image_count, 1);
    assert_int_equal(list_review(-1, 0, -1, VERDICT_UNKNOWN)->image_count, 1);
    assert_int_equal(list_review(-1, 0, IMAGE_PROCESSED, -1)->image_count, 2);
}

static void test_pages_for_review_have_no_gap(void **state)
{
    int64_t ids[7], after = 0;
    int seen = 0;

    (void)state;
    for (int i = 0; i < 7; i++) {
        ids[i] = image_like(ann, near);
        image_like(ann, sure);
    }
    do {
        struct store_list *m = STORE_MESSAGE(STORE_IMAGES, store_list);

        m->status = m->verdict = -1;
        m->review = 1;
        m->after = after;
        m->limit = 3;
        ask(m);
        for (int i = 0; i < last->image_count; i++, seen++)
            assert_int_equal(last->images[i].id, ids[6 - seen]);
        after = last->next;
    } while (after);
    assert_int_equal(seen, 7);
}

/* --- words --- */

static void test_a_word_ends_the_doubt(void **state)
{
    const struct {
        int kind;
        int64_t *who;
        struct likeness likeness;
        int after; /* what is left of the doubt */
    } cases[] = {
        {WORD_NAMED, &ann, near, 0},
        {WORD_NAMED, &bo, near, 0},
        {WORD_IGNORED, &ann, near, 0},
        {WORD_NOT, &ann, near, 0},
        {WORD_NOT_A_FACE, &ann, near, 0},
        {WORD_NOT, &bo, between(bo), 0},
        {WORD_NOT, &cy, between(bo), DOUBT_SMALL_MARGIN},
        {WORD_NOT, &cy, near, DOUBT_NEAR_THRESHOLD},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t id = image_like(ann, cases[i].likeness), before = events_of(id);

        assert_true(image_doubt(image(id)) != 0);
        if (cases[i].kind == WORD_NAMED)
            name_face(face_in(id), *cases[i].who);
        else
            say(cases[i].kind, id, *cases[i].who, false);
        expect_doubt(id, cases[i].after);
        assert_int_equal(events_of(id) > before, cases[i].after == 0);
    }
}

static void test_a_word_that_is_taken_back_lets_the_doubt_come_back(void **state)
{
    static const int kinds[] = {WORD_NAMED, WORD_IGNORED, WORD_NOT_A_FACE, WORD_NOT};

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int64_t id = image_like(ann, near);

        if (kinds[i] == WORD_NAMED)
            name_face(face_in(id), ann);
        else
            say(kinds[i], id, ann, false);
        expect_doubt(id, 0);
        say(kinds[i], id, ann, true);
        expect_doubt(id, 0); /* no gallery has decided it yet */
        resolve(id, PERSON_UNKNOWN, ann, near);
        expect_doubt(id, DOUBT_NEAR_THRESHOLD);
    }
}

static void test_a_second_person_who_was_denied_is_none_in_later_runs(void **state)
{
    int64_t id = image_like(ann, between(bo));
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);

    (void)state;
    say(WORD_NOT, id, bo, false);
    m->id = id;
    ask(m);
    claim(1);
    finish_like(id, 2, ann, between(bo));
    expect_doubt(id, 0);
    say(WORD_NOT, id, bo, true);
    resolve(id, ann, ann, between(bo));
    expect_doubt(id, DOUBT_SMALL_MARGIN);
}

/* --- the machine --- */

static void test_a_new_decision_judges_again(void **state)
{
    int64_t id = image_like(ann, sure), before = events_of(id);

    (void)state;
    resolve(id, ann, ann, sure);
    assert_int_equal(events_of(id), before);
    resolve(id, ann, ann, near);
    expect_doubt(id, DOUBT_NEAR_THRESHOLD);
    assert_int_equal(events_of(id), before + 1);
    resolve(id, ann, bo, near);
    expect_doubt(id, DOUBT_NEAR_THRESHOLD);
    assert_true(listed(1, bo, id));
    assert_false(listed(1, ann, id));
    resolve(id, bo, bo, sure);
    expect_doubt(id, 0);
    resolve(id, bo, PERSON_UNKNOWN, near);
    expect_doubt(id, 0);
}

static void test_an_image_that_waits_again_is_not_for_review(void **state)
{
    int64_t id = image_like(ann, near);
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);

    (void)state;
    m->id = id;
    assert_int_equal(ask(m)->changed, 1);
    assert_int_equal(image_doubt(image(id)), 0);
    assert_false(listed(1, 0, id));
    assert_int_equal(ask(STORE_MESSAGE(STORE_STATUS_COUNTS, store_list))->counts.review, 0);
    claim(1);
    finish_like(id, 2, ann, near);
    expect_doubt(id, DOUBT_NEAR_THRESHOLD);
}

/* Programs of the original table put an image back by its status. */
static void test_an_image_that_another_program_puts_back_is_not_listed(void **state)
{
    int64_t id = image_like(ann, near);

    (void)state;
    observer_run("UPDATE images SET status = 0");
    assert_false(listed(1, 0, id));
    claim(1);
    finish_like(id, 2, ann, sure);
    expect_doubt(id, 0);
    assert_int_equal(number("SELECT COUNT(*) FROM doubts", 0, 0), 0);
}

static void test_a_deleted_image_leaves_no_doubt(void **state)
{
    int64_t id = image_like(ann, near);
    struct store_id *m = STORE_MESSAGE(STORE_DELETE, store_id);

    (void)state;
    m->id = id;
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_int_equal(number("SELECT COUNT(*) FROM doubts", 0, 0), 0);
    assert_int_equal(ask(STORE_MESSAGE(STORE_STATUS_COUNTS, store_list))->counts.review, 0);
}

static void test_a_recount_finds_images_that_another_program_deleted(void **state)
{
    int64_t id = image_like(ann, near);
    struct store_counts *m;
    struct image_counts difference;
    int64_t corrections;

    (void)state;
    image_like(bo, near);
    assert_int_equal(ask(STORE_MESSAGE(STORE_RECOUNT, store_list))->changed, 0);
    observer_run("DELETE FROM images WHERE id = 1");
    assert_false(listed(1, 0, id));
    assert_int_equal(ask(STORE_MESSAGE(STORE_RECOUNT, store_list))->changed, 1);
    difference = last->counts;
    corrections = last->next;
    assert_int_equal(difference.review, -1);
    m = STORE_MESSAGE(STORE_CORRECT_COUNTS, store_counts);
    m->counts = difference;
    m->corrections = corrections;
    assert_int_equal(ask(m)->changed, 1);
    assert_int_equal(ask(STORE_MESSAGE(STORE_STATUS_COUNTS, store_list))->counts.review, 1);
}

static void test_a_label_that_gets_its_person_is_judged(void **state)
{
    int64_t id = submit("/labelled");
    struct store_text *m;

    (void)state;
    claim(1);
    finish_with_label(id, "Dora");
    observer_run("UPDATE faces SET similarity = 0.55");
    person("Dora");
    m = STORE_MESSAGE(STORE_RESOLVE_LABELS, store_text);
    m->text = "";
    assert_int_equal(ask(m)->status, STORE_OK);
    expect_doubt(id, DOUBT_NEAR_THRESHOLD);
}

/* --- people --- */

static void delete_person(int64_t who)
{
    do {
        struct store_id *m = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);

        m->id = who;
        assert_int_equal(ask(m)->status, STORE_OK);
    } while (last->more);
}

static void test_a_person_who_is_deleted_is_no_second_person(void **state)
{
    int64_t second = image_like(ann, between(bo)), named = image_like(bo, near), other = image_like(ann, between(cy));
    int64_t before = events_of(second);

    (void)state;
    delete_person(bo);
    expect_doubt(second, 0);
    assert_true(events_of(second) > before);
    expect_doubt(named, 0);
    expect_doubt(other, DOUBT_SMALL_MARGIN);
    assert_int_equal(number("SELECT COUNT(*) FROM faces WHERE rival = ?", bo, 0), 0);
}

static void test_a_photo_that_is_deleted_makes_nobody_the_second_person(void **state)
{
    struct likeness second = between(bo);
    int64_t photo = enrol(bo, "1"), id, other;
    struct store_id *m = STORE_MESSAGE(STORE_PHOTO_DELETE, store_id);

    (void)state;
    second.second_template = number("SELECT id FROM templates WHERE photo_id = ?", photo, 0);
    id = image_like(ann, second);
    enrol(bo, "2");
    second.second_template++;
    other = image_like(ann, second);
    expect_doubt(id, DOUBT_SMALL_MARGIN);
    m->id = photo;
    assert_int_equal(ask(m)->status, STORE_OK);
    expect_doubt(id, 0);
    expect_doubt(other, DOUBT_SMALL_MARGIN);
}

static void test_a_merge_of_both_ends_the_doubt_and_undoing_brings_it_back(void **state)
{
    int64_t of_ann = image_like(ann, between(bo)), of_bo = image_like(bo, between(ann)),
            other = image_like(cy, between(bo)), id;

    (void)state;
    id = merge(bo, ann)->merges[0].id;
    expect_doubt(of_ann, 0);
    expect_doubt(of_bo, 0);
    expect_doubt(other, DOUBT_SMALL_MARGIN);
    assert_int_equal(image(other)->faces[0].rival, ann);
    assert_int_equal(undo(id)->status, STORE_OK);
    expect_doubt(of_ann, DOUBT_SMALL_MARGIN);
    expect_doubt(of_bo, DOUBT_SMALL_MARGIN);
    expect_doubt(other, DOUBT_SMALL_MARGIN);
    assert_int_equal(image(other)->faces[0].rival, bo);
    assert_int_equal(image(of_bo)->faces[0].rival, ann);
    assert_int_equal(number("SELECT COUNT(*) FROM merge_rows", 0, 0), 0);
}

static void test_the_second_person_may_be_merged_twice(void **state)
{
    int64_t dee = person("Dee"), id = image_like(ann, between(bo)), first, second;

    (void)state;
    first = merge(bo, cy)->merges[0].id;
    assert_int_equal(image(id)->faces[0].rival, cy);
    second = merge(cy, dee)->merges[0].id;
    expect_doubt(id, DOUBT_SMALL_MARGIN);
    assert_int_equal(image(id)->faces[0].rival, dee);
    assert_int_equal(undo(second)->status, STORE_OK);
    expect_doubt(id, DOUBT_SMALL_MARGIN);
    assert_int_equal(image(id)->faces[0].rival, cy);
    assert_int_equal(undo(first)->status, STORE_OK);
    assert_int_equal(image(id)->faces[0].rival, bo);
}

static void test_the_candidates_of_a_run_may_have_been_merged_since(void **state)
{
    int64_t id = submit("/late"), merged;

    (void)state;
    claim(1);
    merged = merge(bo, ann)->merges[0].id;
    finish_like(id, 1, ann, between(bo));
    expect_doubt(id, 0);
    assert_int_equal(undo(merged)->status, STORE_OK);
    expect_doubt(id, 0); /* decided when both were one person */
}

#define DOUBT_TEST(f) cmocka_unit_test_setup_teardown(f, setup_doubt, teardown_merge)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOUBT_TEST(test_each_reason_is_stored_with_its_face),
        DOUBT_TEST(test_the_list_for_review_combines_with_the_others),
        DOUBT_TEST(test_pages_for_review_have_no_gap),
        DOUBT_TEST(test_a_word_ends_the_doubt),
        DOUBT_TEST(test_a_word_that_is_taken_back_lets_the_doubt_come_back),
        DOUBT_TEST(test_a_second_person_who_was_denied_is_none_in_later_runs),
        DOUBT_TEST(test_a_new_decision_judges_again),
        DOUBT_TEST(test_an_image_that_waits_again_is_not_for_review),
        DOUBT_TEST(test_an_image_that_another_program_puts_back_is_not_listed),
        DOUBT_TEST(test_a_deleted_image_leaves_no_doubt),
        DOUBT_TEST(test_a_recount_finds_images_that_another_program_deleted),
        DOUBT_TEST(test_a_label_that_gets_its_person_is_judged),
        DOUBT_TEST(test_a_person_who_is_deleted_is_no_second_person),
        DOUBT_TEST(test_a_photo_that_is_deleted_makes_nobody_the_second_person),
        DOUBT_TEST(test_a_merge_of_both_ends_the_doubt_and_undoing_brings_it_back),
        DOUBT_TEST(test_the_second_person_may_be_merged_twice),
        DOUBT_TEST(test_the_candidates_of_a_run_may_have_been_merged_since),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
