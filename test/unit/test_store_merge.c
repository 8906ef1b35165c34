/* Merging people and undoing it: what moves, what stays, and batches that are cut short. */
#include "test/unit/merge_world.h"

static void deny(int64_t face, int64_t who)
{
    struct store_word *m = STORE_MESSAGE(STORE_WORD, store_word);

    m->kind = WORD_NOT;
    m->face = face;
    m->person = who;
    assert_int_equal(ask(m)->status, STORE_OK);
}

/* --- what moves --- */

static void test_a_merge_moves_photos_templates_and_faces_and_deletes_the_person(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), machine, hand;

    (void)state;
    enrol(ann, "1");
    enrol(ann, "2");
    enrol(bo, "2");
    machine = face_of(ann);
    hand = face_of(ann);
    name_face(hand, ann);
    read_log(&follower);
    assert_int_equal(merge(ann, bo)->status, STORE_OK);
    assert_int_equal(last->merges[0].faces, 2);
    assert_int_equal(last->merges[0].photos, 1);
    assert_int_equal(last->merges[0].templates, 1);
    assert_int_equal(last->merges[0].duplicates, 1);
    assert_true(last->merges[0].done);
    assert_int_equal(person_of_face(machine), bo);
    assert_int_equal(person_of_face(hand), bo);
    assert_int_equal(number("SELECT COUNT(*) FROM person WHERE id = ?", ann, 0), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM person_images WHERE person_id = ?", bo, 0), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ?", bo, 0), 2);
    assert_int_equal(number("SELECT person FROM images WHERE id = 1", 0, 0), bo);
    assert_int_equal(number("SELECT COUNT(*) FROM person_names WHERE person_id = ?", ann, 0), 0);
    expect_readers_know_the_templates();
    expect_status_counts(0, 2, 0, 0, 0);
}

static void test_an_undone_merge_is_as_before(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), machine, later, id;

    (void)state;
    enrol(ann, "1");
    enrol(ann, "2");
    enrol(bo, "2");
    enrol(bo, "3");
    machine = face_of(ann);
    id = merge(ann, bo)->merges[0].id;
    later = face_of(bo);
    assert_int_equal(number("UPDATE faces SET template_id = 1 WHERE id = ?", later, 0), -99);
    read_log(&follower);
    assert_int_equal(undo(id)->status, STORE_OK);
    assert_true(last->merges[0].undone);
    assert_int_equal(person_of_face(machine), ann);
    assert_int_equal(person_of_face(later), ann); /* it got its name through a template that is Ann's again */
    assert_int_equal(number("SELECT COUNT(*) FROM person_images WHERE person_id = ?", ann, 0), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ?", ann, 0), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ?", bo, 0), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM merge_rows", 0, 0), 0);
    assert_int_equal(person("ann"), ann);
    expect_readers_know_the_templates();
    assert_int_equal(undo(id)->status, STORE_OK); /* again: nothing more */
    assert_int_equal(last->changed, 0);
    assert_int_equal(merge(ann, bo)->status, STORE_OK);
    assert_int_not_equal(last->merges[0].id, id);
}

static void test_a_repeated_merge_answers_the_same(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), id;

    (void)state;
    face_of(ann);
    id = merge(ann, bo)->merges[0].id;
    assert_int_equal(merge(ann, bo)->status, STORE_OK);
    assert_int_equal(last->merges[0].id, id);
    assert_int_equal(last->merges[0].faces, 1);
    assert_int_equal(last->changed, 0);
    assert_int_equal(merge(bo, bo)->status, STORE_CONFLICT);
    assert_int_equal(merge(99, bo)->status, STORE_NOT_FOUND);
    assert_int_equal(merge(bo, 99)->status, STORE_NOT_FOUND);
    assert_int_equal(merge(bo, ann)->status, STORE_NOT_FOUND);
    assert_int_equal(undo(99)->status, STORE_NOT_FOUND);
}

static void test_words_hold_over_a_merge(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), denied, named, of_bo, id;

    (void)state;
    denied = face_of(ann);
    deny(denied, bo); /* the gallery says Ann; it is said not to be Bo */
    named = face_of(bo);
    deny(named, bo);
    name_face(named, ann); /* put right by hand */
    of_bo = face_of(bo);
    deny(of_bo, ann);
    name_face(of_bo, bo);
    id = merge(ann, bo)->merges[0].id;
    assert_int_equal(person_of_face(denied), PERSON_UNKNOWN);
    assert_int_equal(person_of_face(named), bo);
    assert_int_equal(person_of_face(of_bo), bo);
    assert_int_equal(number("SELECT COUNT(*) FROM decide_again WHERE subject = ?", denied, 0), 1);
    /* a counter-example of a face that is Bo's by hand would deny Bo himself */
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ? AND counter = 1", bo, 0), 1);
    expect_readers_know_the_templates();
    assert_int_equal(undo(id)->status, STORE_OK);
    assert_int_equal(person_of_face(named), ann);
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ? AND counter = 1", bo, 0), 2);
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ? AND counter = 1", ann, 0), 1);
    expect_readers_know_the_templates();
}

static void say(int64_t face, enum face_word kind)
{
    struct store_word *m = STORE_MESSAGE(STORE_WORD, store_word);

    m->kind = kind;
    m->face = face;
    assert_int_equal(ask(m)->status, STORE_OK);
}

static void take_name_off(int64_t face)
{
    struct store_word *m = STORE_MESSAGE(STORE_WORD, store_word);

    m->kind = WORD_NAMED;
    m->face = face;
    m->take_back = true;
    assert_int_equal(ask(m)->status, STORE_OK);
}

/* A run of the image's file, in which a gallery gives the face to the person. Returns the face. */
static int64_t run_of(int64_t id, const char *model, int64_t who)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);
    float *e = arena_alloc(&m->m.arena, 2 * sizeof *e);

    observer_run("UPDATE images SET status = 0, verdict = 0, run_after = 0 WHERE id = (SELECT MAX(i.id) FROM (SELECT "
                 "id FROM images) i)");
    assert_int_equal(claim(1), 1);
    m->id = id;
    m->attempt = last->images[0].attempt;
    m->outcome = OUTCOME_FACES;
    m->sha256 = "s";
    m->faces = arena_alloc(&m->m.arena, sizeof *m->faces);
    m->face_count = 1;
    m->faces[0] = (struct face){.width = 10,
                                .height = 10,
                                .model = model,
                                .embedding = e,
                                .dimension = 2,
                                .person = who ? who : PERSON_UNKNOWN,
                                .similarity = 0.9};
    assert_int_equal(ask(m)->changed, 1);
    return image(id)->faces[0].id;
}

static void test_every_kind_of_word_holds_over_a_merge_and_its_undoing(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), ignored, none, off, not_ann, id;

    (void)state;
    ignored = face_of(ann);
    say(ignored, WORD_IGNORED);
    none = face_of(ann);
    say(none, WORD_NOT_A_FACE);
    off = face_of(bo);
    take_name_off(off); /* it is not Bo, without a counter-example; the gallery says Ann then */
    assert_int_equal(number("UPDATE faces SET person = ? WHERE id = ?", ann, off), -99);
    not_ann = face_of(bo);
    deny(not_ann, ann);
    id = merge(ann, bo)->merges[0].id;
    assert_int_equal(last->merges[0].words, 1); /* not Ann */
    for (int undone = 0; undone < 2; undone++) {
        assert_int_equal(number("SELECT word FROM faces WHERE id = ?", ignored, 0), WORD_IGNORED);
        assert_int_equal(number("SELECT word FROM faces WHERE id = ?", none, 0), WORD_NOT_A_FACE);
        assert_int_equal(person_of_face(ignored), PERSON_UNKNOWN);
        assert_int_equal(person_of_face(none), PERSON_UNKNOWN);
        assert_int_equal(person_of_face(off), PERSON_UNKNOWN); /* undone: the galleries decide it again */
        assert_int_equal(person_of_face(not_ann), PERSON_UNKNOWN);
        assert_int_equal(number("SELECT COUNT(*) FROM decide_again WHERE subject = ?", off, 0), 2 + undone);
        assert_int_equal(number("SELECT COUNT(*) FROM decide_again WHERE subject = ?", not_ann, 0), 1 + undone);
        assert_int_equal(number("SELECT COUNT(*) FROM words WHERE kind = 5 AND person_id = ?", bo, 0), 1);
        assert_int_equal(number("SELECT COUNT(*) FROM words WHERE kind = 4 AND person_id = ?", undone ? ann : bo, 0),
                         1);
        expect_readers_know_the_templates();
        if (!undone)
            assert_int_equal(undo(id)->status, STORE_OK);
    }
}

static void test_names_by_hand_follow_their_words(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), cleo = person("Cleo"), a = submit("/a"), b, first, second, id;
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_FACE, store_name_face);

    (void)state;
    first = run_of(a, "m", 0);
    m->face = first;
    m->person = ann;
    assert_int_equal(ask(m)->status, STORE_OK); /* with a template */
    id = merge(ann, bo)->merges[0].id;
    assert_int_equal(last->merges[0].templates, 1);
    b = submit("/b");
    second = run_of(b, "m2", 0); /* of the same content, and a new template of the same word */
    assert_int_equal(person_of_face(second), bo);
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ?", bo, 0), 2);
    assert_int_equal(undo(id)->status, STORE_OK);
    assert_int_equal(person_of_face(first), ann);
    assert_int_equal(person_of_face(second), ann);
    assert_int_equal(number("SELECT COUNT(*) FROM templates WHERE person_id = ?", ann, 0), 2);
    expect_readers_know_the_templates();
    id = merge(ann, bo)->merges[0].id;
    name_face(first, cleo);
    name_face(first, bo); /* a new word, which is not of the merge */
    assert_int_equal(undo(id)->status, STORE_OK);
    assert_int_equal(person_of_face(first), bo);
    assert_int_equal(number("SELECT person_id FROM words WHERE kind = 1", 0, 0), bo);
}

static void test_a_parked_word_is_not_seen(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), a = submit("/a"), face = run_of(a, "m", 0), id;

    (void)state;
    name_face(face, ann);
    deny(face, bo);
    id = merge(ann, bo)->merges[0].id;
    assert_int_equal(image(a)->faces[0].word_count, 1);
    assert_int_equal(person_of_face(run_of(submit("/b"), "m", 0)), bo); /* the same content */
    observer_run("DELETE FROM faces WHERE image_id = 2");
    observer_run("DELETE FROM images WHERE id = 2");
    assert_int_equal(run_of(a, "m", bo), face);
    assert_int_equal(person_of_face(face), bo);
    assert_int_equal(image(a)->faces[0].word_count, 1);
    assert_int_equal(undo(id)->status, STORE_OK);
    assert_int_equal(person_of_face(face), ann);
    assert_int_equal(image(a)->faces[0].word_count, 2);
    assert_int_equal(merge(ann, bo)->status, STORE_OK);
    struct store_id *delete = STORE_MESSAGE(STORE_DELETE, store_id);
    delete->id = a;
    assert_int_equal(ask(delete)->status, STORE_OK);
    assert_int_equal(number("SELECT COUNT(*) FROM words", 0, 0), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM templates", 0, 0), 0);
    assert_int_equal(undo(id + 1)->status, STORE_OK);
    expect_readers_know_the_templates();
}

static void test_what_was_said_after_the_merge_stays(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), cleo = person("Cleo"), a = face_of(ann), b = face_of(ann), id;

    (void)state;
    id = merge(ann, bo)->merges[0].id;
    name_face(a, cleo);
    name_face(b, bo);
    assert_int_equal(undo(id)->status, STORE_OK);
    assert_int_equal(person_of_face(a), cleo);
    assert_int_equal(person_of_face(b), bo);
}

static void test_merges_are_undone_in_the_other_order(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), cleo = person("Cleo"), face = face_of(ann), first, second;

    (void)state;
    first = merge(ann, bo)->merges[0].id;
    second = merge(bo, cleo)->merges[0].id;
    assert_int_equal(undo(first)->status, STORE_CONFLICT);
    assert_non_null(strstr(last->error, "undo merge 2 first"));
    assert_int_equal(undo(second)->status, STORE_OK);
    assert_int_equal(undo(first)->status, STORE_OK);
    assert_int_equal(person_of_face(face), ann);
}

static void test_a_run_that_ends_after_the_merge_names_the_other_person(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), cleo = person("Cleo"), id = submit("/a"), other = submit("/b");
    struct store_id *delete = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);

    (void)state;
    claim(2); /* decided as Ann */
    merge(ann, bo);
    merge(bo, cleo);
    assert_int_equal(finish_with_face(id, 1, ann, 0.2)->changed, 1);
    assert_int_equal(image(id)->person, cleo);
    assert_int_equal(last->images[0].faces[0].person, cleo);
    delete->id = cleo;
    ask(delete);
    assert_int_equal(finish_with_face(other, 1, cleo, 0.2)->changed, 1);
    assert_int_equal(image(other)->person, PERSON_UNKNOWN);
    expect_status_counts(0, 2, 0, 0, 2);
}

/* --- batches --- */

static void test_a_large_merge_that_is_cut_short_continues_and_counts_truly(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), id;

    (void)state;
    for (int i = 0; i < 230; i++) {
        char sha256[16];

        snprintf(sha256, sizeof sha256, "%d", i);
        enrol(ann, sha256);
    }
    face_of(ann);
    for (int i = 0; i < 11; i++)
        observer_run(
            "INSERT INTO faces(image_id, x, y, width, height, quality, model, person, similarity, template_id) "
            "SELECT image_id, x, y, width, height, quality, model, person, similarity, 5 FROM faces LIMIT "
            "300");
    int64_t faces = number("SELECT COUNT(*) FROM faces", 0, 0);
    assert_true(faces > 1000);
    merge_once(ann, bo);
    assert_true(last->more);
    merge_once(ann, bo);
    assert_true(last->more);
    close_store();
    open_store(); /* the process died between two batches */
    assert_int_equal(merge_once(bo, person("Cleo"))->status, STORE_CONFLICT);
    assert_int_equal(merge(ann, bo)->status, STORE_OK);
    assert_int_equal(last->merges[0].faces, faces);
    assert_int_equal(last->merges[0].templates, 230);
    assert_int_equal(last->merges[0].photos, 230);
    id = last->merges[0].id;
    assert_int_equal(number("SELECT COUNT(*) FROM faces WHERE person = ?", bo, 0), faces);
    expect_readers_know_the_templates();
    undo_once(id);
    assert_true(last->more);
    close_store();
    open_store();
    assert_int_equal(merge(ann, bo)->status, STORE_CONFLICT);
    assert_int_equal(undo(id)->status, STORE_OK);
    assert_int_equal(number("SELECT COUNT(*) FROM faces WHERE person = ?", ann, 0), faces);
    assert_int_equal(number("SELECT COUNT(*) FROM person_images WHERE person_id = ?", ann, 0), 230);
    expect_readers_know_the_templates();
}

/* Every statement of every batch fails once: the repeated request still does all of it. */
static struct store_reply *with_errors(struct store_reply *(*once)(int64_t a, int64_t b), int64_t a, int64_t b)
{
    bool more = true;

    while (more)
        for (int step = 1;; step++) {
            atomic_store(&db_fault.hits, 0);
            atomic_store(&db_fault.step, step);
            once(a, b);
            atomic_store(&db_fault.step, 0);
            if (atomic_load(&db_fault.hits) == 0) {
                assert_int_equal(last->status, STORE_OK);
                more = last->more;
                break;
            }
            assert_int_not_equal(last->status, STORE_OK);
        }
    return last;
}

static struct store_reply *undo_once_of(int64_t id, int64_t unused)
{
    (void)unused;
    return undo_once(id);
}

static void test_errors_at_every_statement_of_every_batch_lose_nothing(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), a, b, c, id;

    (void)state;
    enrol(ann, "1");
    enrol(ann, "2");
    enrol(bo, "2");
    a = face_of(ann);
    b = face_of(ann);
    name_face(b, ann);
    deny(b, bo);
    name_face(b, ann);
    c = face_of(ann);
    deny(c, bo);
    read_log(&follower);
    id = with_errors(merge_once, ann, bo)->merges[0].id;
    assert_int_equal(person_of_face(a), bo);
    assert_int_equal(person_of_face(b), bo);
    assert_int_equal(person_of_face(c), PERSON_UNKNOWN);
    expect_readers_know_the_templates();
    with_errors(undo_once_of, id, 0);
    assert_int_equal(person_of_face(a), ann);
    assert_int_equal(person_of_face(b), ann);
    expect_readers_know_the_templates();
}

/* --- for how long --- */

static void prune(int64_t before_ms)
{
    do {
        struct store_prune *m = STORE_MESSAGE(STORE_PRUNE, store_prune);

        m->events_keep = 1000;
        m->merges_before_ms = before_ms;
        assert_int_equal(ask(m)->status, STORE_OK);
    } while (last->more);
}

static void test_an_old_merge_keeps_its_name_only(void **state)
{
    int64_t barak = person("Barak"), barack = person("Barack"), id;

    (void)state;
    enrol(barak, "1");
    enrol(barack, "1");
    face_of(barak);
    id = merge(barak, barack)->merges[0].id;
    prune(1);
    assert_int_equal(number("SELECT COUNT(*) FROM merge_rows", 0, 0), 3);
    prune(INT64_MAX);
    assert_int_equal(number("SELECT COUNT(*) FROM merge_rows", 0, 0), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM templates", 0, 0), 1);
    assert_int_equal(number("SELECT COUNT(*) FROM person_images", 0, 0), 1);
    assert_int_equal(undo(id)->status, STORE_CONFLICT);
    assert_non_null(strstr(last->error, "KITH_MERGE_UNDO"));
    assert_int_equal(merge(barak, barack)->status, STORE_OK);
    struct store_photo *p = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo); /* the folder still has the old name */
    p->person_name = "BARAK";
    p->photo_name = "new.jpg";
    assert_int_equal(ask(p)->id, barack);
    assert_int_equal(person("Barak"), 3); /* a client that makes a person means a new one */
}

static void test_a_deleted_person_leaves_no_rows_of_merges(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo"), id;
    struct store_id *delete = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);

    (void)state;
    enrol(ann, "1");
    enrol(bo, "1");
    id = merge(ann, bo)->merges[0].id;
    delete->id = bo;
    assert_int_equal(ask(delete)->status, STORE_OK);
    assert_int_equal(number("SELECT COUNT(*) FROM templates", 0, 0), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM person_images", 0, 0), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM merges", 0, 0), 0);
    assert_int_equal(undo(id)->status, STORE_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MERGE_TEST(test_a_merge_moves_photos_templates_and_faces_and_deletes_the_person),
        MERGE_TEST(test_an_undone_merge_is_as_before),
        MERGE_TEST(test_a_repeated_merge_answers_the_same),
        MERGE_TEST(test_words_hold_over_a_merge),
        MERGE_TEST(test_every_kind_of_word_holds_over_a_merge_and_its_undoing),
        MERGE_TEST(test_names_by_hand_follow_their_words),
        MERGE_TEST(test_a_parked_word_is_not_seen),
        MERGE_TEST(test_what_was_said_after_the_merge_stays),
        MERGE_TEST(test_merges_are_undone_in_the_other_order),
        MERGE_TEST(test_a_run_that_ends_after_the_merge_names_the_other_person),
        MERGE_TEST(test_a_large_merge_that_is_cut_short_continues_and_counts_truly),
        MERGE_TEST(test_errors_at_every_statement_of_every_batch_lose_nothing),
        MERGE_TEST(test_an_old_merge_keeps_its_name_only),
        MERGE_TEST(test_a_deleted_person_leaves_no_rows_of_merges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
