/* Operations in batches whose caller ends after the first one: STORE_CONTINUE does the rest. On SQLite and on MariaDB.
 */
#include "test/unit/store/deletion_world.h"

enum { IMAGES = 13, FACES = 50, UNKNOWN = 7 }; /* more faces than a batch has */

static int64_t ann, bob, merge_id;

static void finish_with_faces(int64_t id, int64_t who)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);
    float *e = arena_alloc(&m->m.arena, 2 * sizeof *e);

    e[0] = 1;
    claim(10);
    m->id = id;
    m->attempt = 1;
    m->outcome = OUTCOME_FACES;
    m->faces = arena_alloc(&m->m.arena, FACES * sizeof *m->faces);
    m->face_count = FACES;
    for (int i = 0; i < FACES; i++)
        m->faces[i] = (struct face){.x = (float)(20 * i),
                                    .width = 10,
                                    .height = 10,
                                    .model = "m",
                                    .embedding = e,
                                    .dimension = 2,
                                    .person = who};
    assert_int_equal(ask(m)->changed, 1);
}

static void fill(void)
{
    char path[32];

    open_observer();
    join_as("a");
    ann = person("Ann");
    bob = person("Bob");
    for (int i = 0; i < 2 * IMAGES; i++) {
        snprintf(path, sizeof path, "/image/%d.jpg", i);
        finish_with_faces(submit(path), i < IMAGES ? ann : PERSON_UNKNOWN);
    }
    observer_run("UPDATE faces SET unknown_person = 7 WHERE person = -1");
}

/* --- one batch of each operation --- */

static void delete_person(void)
{
    with_id(STORE_PERSON_DELETE, ann);
}

static void merge_people(void)
{
    struct store_merge *m = STORE_MESSAGE(STORE_MERGE, store_merge);

    m->person = ann;
    m->into = bob;
    merge_id = ask(m)->merge_count ? last->merges[0].id : 0;
}

static void undo_merge(void)
{
    struct store_merge *m = STORE_MESSAGE(STORE_MERGE_UNDO, store_merge);

    m->merge = merge_id;
    ask(m);
}

static void forget_unknown(void)
{
    with_id(STORE_FORGET_UNKNOWN, UNKNOWN);
}

static void name_unknown(void)
{
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_UNKNOWN_PERSON, store_name_face);

    m->face = UNKNOWN;
    m->person = bob;
    ask(m);
}

static void say_ignored(bool take_back)
{
    struct store_word *m = STORE_MESSAGE(STORE_IGNORE_UNKNOWN_PERSON, store_word);

    m->kind = WORD_IGNORED;
    m->take_back = take_back;
    m->face = UNKNOWN;
    m->said_by = "a key";
    ask(m);
}

static void ignore_unknown(void)
{
    say_ignored(false);
}

static void stop_ignoring(void)
{
    say_ignored(true);
}

static void all_batches(void (*batch)(void))
{
    do {
        batch();
        assert_int_equal(last->status, STORE_OK);
    } while (last->more);
}

static struct store_reply *continue_before(int64_t before_ms)
{
    struct store_continue *m = STORE_MESSAGE(STORE_CONTINUE, store_continue);

    m->before_ms = before_ms;
    assert_int_equal(ask(m)->status, STORE_OK);
    return last;
}

/* --- the tests --- */

static const struct {
    const char *action;
    void (*before)(void), (*batch)(void); /* before: all of it is done first, or NULL */
    const char *left, *said_by;           /* left: counts what the operation has yet to do */
} cases[] = {
    {"person deleted", NULL, delete_person,
     "SELECT (SELECT COUNT(*) FROM person WHERE name = 'Ann') + (SELECT COUNT(*) FROM faces WHERE person > 0)",
     "anybody"},
    {"people merged", NULL, merge_people, "SELECT COUNT(*) FROM person WHERE name = 'Ann'", "anybody"},
    {"merge undone", merge_people, undo_merge, "SELECT COUNT(*) FROM merges WHERE state <> 4", "anybody"},
    {"unknown person deleted", NULL, forget_unknown, "SELECT COUNT(*) FROM faces WHERE unknown_person = 7", "anybody"},
    {"unknown person named", NULL, name_unknown, "SELECT COUNT(*) FROM faces WHERE person = -1", "anybody"},
    {"unknown person ignored", NULL, ignore_unknown, "SELECT COUNT(*) FROM faces WHERE unknown_person = 7", "a key"},
    {"unknown person ignored no more", ignore_unknown, stop_ignoring,
     "SELECT COUNT(*) FROM faces WHERE unknown_person = -7", "a key"},
};

static void expect_one_audit_row(const char *action, const char *said_by)
{
    struct store_audit_list *m = STORE_MESSAGE(STORE_AUDIT, store_audit_list);

    m->limit = 10;
    m->action = action;
    assert_int_equal(ask(m)->audit_count, 1);
    assert_string_equal(last->audit[0].who, said_by);
}

static void test_each_operation_goes_on_after_its_first_batch(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int batches = 0;

        if (i > 0)
            setup(state);
        fill();
        if (cases[i].before)
            all_batches(cases[i].before);
        assert_int_equal(observer_number("SELECT COUNT(*) FROM unfinished"), 0);
        cases[i].batch();
        if (!last->more || observer_number(cases[i].left) == 0)
            fail_msg("%s: the first batch did all", cases[i].action);
        close_store();
        open_store();
        assert_int_equal(continue_before(0)->changed, 0); /* it may still have a caller */
        while (continue_before(INT64_MAX)->changed) {
            batches++;
            if (last->text_count)
                assert_string_equal(last->texts[0], cases[i].action);
        }
        if (batches == 0 || observer_number(cases[i].left) != 0)
            fail_msg("%s: %lld are left after %d batches", cases[i].action, (long long)observer_number(cases[i].left),
                     batches);
        assert_int_equal(observer_number("SELECT COUNT(*) FROM unfinished"), 0);
        expect_one_audit_row(cases[i].action, cases[i].said_by);
        close_observer();
        if (i + 1 < sizeof cases / sizeof cases[0])
            teardown(state);
    }
}

static void test_what_its_caller_finished_is_not_continued(void **state)
{
    (void)state;
    fill();
    all_batches(ignore_unknown);
    all_batches(delete_person);
    assert_int_equal(continue_before(INT64_MAX)->changed, 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM audit"), 0);
    close_observer();
}

static void test_a_newer_operation_on_the_person_replaces_the_one_that_was_cut_short(void **state)
{
    (void)state;
    fill();
    ignore_unknown();
    assert_true(last->more);
    all_batches(stop_ignoring);
    assert_int_equal(continue_before(INT64_MAX)->changed, 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM faces WHERE unknown_person < 0"), 0);
    merge_people();
    assert_true(last->more);
    all_batches(delete_person);
    assert_int_equal(continue_before(INT64_MAX)->changed, 0);
    close_observer();
}

static void test_a_person_into_whom_a_merge_is_under_way_is_not_merged_away(void **state)
{
    struct store_merge *m;

    (void)state;
    fill();
    merge_people();
    assert_true(last->more);
    for (int i = 0; i < 2; i++) {
        m = STORE_MESSAGE(STORE_MERGE, store_merge);
        m->person = bob;
        m->into = person("Cleo");
        assert_int_equal(ask(m)->status, i == 0 ? STORE_CONFLICT : STORE_OK);
        while (i == 0 && continue_before(INT64_MAX)->changed)
            ;
    }
    close_observer();
}

static void test_an_operation_that_cannot_go_on_ends(void **state)
{
    (void)state;
    fill();
    name_unknown();
    assert_true(last->more);
    ann = bob;
    all_batches(delete_person); /* of the person whose name the faces were to get */
    assert_int_equal(continue_before(INT64_MAX)->changed, 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM unfinished"), 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM audit"), 0);
    close_observer();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_each_operation_goes_on_after_its_first_batch),
        TEST(test_what_its_caller_finished_is_not_continued),
        TEST(test_a_newer_operation_on_the_person_replaces_the_one_that_was_cut_short),
        TEST(test_a_person_into_whom_a_merge_is_under_way_is_not_merged_away),
        TEST(test_an_operation_that_cannot_go_on_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
