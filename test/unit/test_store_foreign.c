/* Rows of images and people that other programs insert, change and delete beside the store. */
#include "test/unit/store_world.h"

static void recount(void)
{
    struct store_reply *r = ask(STORE_MESSAGE(STORE_RECOUNT, store_list));
    struct store_counts *m = STORE_MESSAGE(STORE_CORRECT_COUNTS, store_counts);

    assert_int_equal(r->status, STORE_OK);
    m->counts = r->counts;
    m->corrections = r->next;
    assert_int_equal(ask(m)->changed, 1);
}

static void test_an_inserted_image_has_a_time_and_is_claimed_and_counted(void **state)
{
    int64_t before = observer_number("SELECT {CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)|"
                                     "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)}");

    (void)state;
    observer_run("INSERT INTO images(path) VALUES('/foreign')");
    assert_in_range(image(1)->created_ms, before, before + 60000);
    assert_int_equal(claim(10), 1);
    assert_string_equal(last->images[0].path, "/foreign");
    expect_status_counts(0, 0, 0, 1, 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM images WHERE path_key IS NULL"), 0);
}

static void test_an_inserted_path_that_is_submitted_keeps_its_row(void **state)
{
    (void)state;
    observer_run("INSERT INTO images(path) VALUES('/foreign')");
    assert_int_equal(submit("/foreign"), 1);
    assert_true(last->images[0].existing);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM images"), 1);
}

/* SQLite refuses the second row; MariaDB has no index of whole paths. */
static void test_a_path_that_others_insert_twice_is_two_rows_and_the_first_has_its_key(void **state)
{
    (void)state;
    submit("/twice");
    if (strcmp(database(), "sqlite") == 0) {
        assert_int_equal(db_run(observer, "INSERT INTO images(path) VALUES('/twice')"), DB_INVALID);
        return;
    }
    observer_run("INSERT INTO images(path) VALUES('/twice'), ('/new'), ('/new')");
    assert_int_equal(claim(10), 4);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM images WHERE path_key IS NULL"), 0);
    assert_int_equal(submit("/twice"), 1);
    assert_int_equal(submit("/new"), observer_number("SELECT MIN(id) FROM images WHERE path = '/new'"));
    expect_status_counts(0, 0, 0, 4, 0);
}

static void test_an_inserted_person_is_found_by_name(void **state)
{
    (void)state;
    observer_run("INSERT INTO person(name) VALUES('Hannibal')");
    assert_int_equal(person("hannibal "), 1);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM person"), 1);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM person WHERE name_key IS NULL OR name_alike IS NULL"), 0);
}

static void test_a_name_that_others_insert_twice_is_two_people(void **state)
{
    struct store_person *m = STORE_MESSAGE(STORE_PERSON_ADD, store_person);

    (void)state;
    observer_run("INSERT INTO person(name) VALUES('Hannibal')");
    observer_run("INSERT INTO person(name) VALUES('HANNIBAL')");
    m->name = "Hannibal";
    assert_int_equal(ask(m)->status, STORE_CONFLICT);
    assert_non_null(strstr(last->error, "1, 2"));
    assert_int_equal(last->alike_count, 2);
    if (strcmp(database(), "sqlite") ==
        0) /* refused: rolled back. A writer of a server that connects now adopts them */
        assert_int_equal(observer_number("SELECT COUNT(*) FROM person WHERE name_form = 1"), 0);
    person("Ann");
    assert_int_equal(observer_number("SELECT COUNT(*) FROM person WHERE name_form = 1"), 3);
}

/* As version 4 wrote them: the key of the text itself, and one of alike names each for itself. */
static void test_people_with_keys_of_the_older_form_are_found(void **state)
{
    (void)state;
    for (int i = 0; i < 600; i++) {
        char name[32], key[32];
        struct db_statement *s = db_query(observer, "INSERT INTO person(name, name_key) VALUES(?, ?)");

        snprintf(name, sizeof name, "Old Name %d", i);
        db_bind_text(observer, s, 1, name);
        snprintf(key, sizeof key, "0123456789ab%04d", i);
        observer->driver->bind_blob(s, 2, key, 16, 0);
        assert_int_equal(db_finish(observer, s), DB_DONE);
    }
    assert_int_equal(person("old  NAME 599"), 600);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM person WHERE name_form = 0"), 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM person"), 600);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM person_names WHERE word = 'name 7'"), 1);
}

static void test_an_inserted_photo_has_a_time(void **state)
{
    (void)state;
    observer_run("INSERT INTO person_images(image_name, person_id) VALUES('a.jpg', 1)");
    assert_true(observer_number("SELECT created_at FROM person_images") > 1600000000000);
}

static void test_a_recount_corrects_what_others_changed(void **state)
{
    int64_t known = submit("/a"), unknown = submit("/b");

    (void)state;
    submit("/c");
    claim(2);
    finish_with_face(known, 1, person("Ann"), 0.3);
    finish_with_face(unknown, 1, PERSON_UNKNOWN, 0);
    submit("/d");
    expect_status_counts(2, 2, 0, 0, 1);
    assert_int_equal(ask(STORE_MESSAGE(STORE_RECOUNT, store_list))->changed, 0);
    observer_run("DELETE FROM images WHERE path IN ('/b', '/c')");
    observer_run("UPDATE images SET status = 2 WHERE path = '/a'");
    observer_run("INSERT INTO images(path, status) VALUES('/foreign', 1)");
    recount();
    expect_status_counts(1, 0, 1, 0, 0); /* the inserted one is counted when it is adopted */
    claim(1);
    expect_status_counts(0, 1, 1, 1, 0);
    assert_int_equal(ask(STORE_MESSAGE(STORE_RECOUNT, store_list))->changed, 0);
}

/* Two nodes find the same difference; one corrects it. */
static void test_a_difference_is_corrected_once(void **state)
{
    struct store_counts *m[2];
    struct store_reply *r;

    (void)state;
    submit("/a");
    observer_run("DELETE FROM images");
    r = ask(STORE_MESSAGE(STORE_RECOUNT, store_list));
    assert_int_equal(r->counts.by_status[IMAGE_PENDING], -1);
    for (int i = 0; i < 2; i++) {
        m[i] = STORE_MESSAGE(STORE_CORRECT_COUNTS, store_counts);
        m[i]->counts = r->counts;
        m[i]->corrections = r->next;
    }
    assert_int_equal(ask(m[0])->changed, 1);
    assert_int_equal(ask(m[1])->changed, 0);
    expect_status_counts(0, 0, 0, 0, 0);
}

static void test_the_store_recounts_by_itself(void **state)
{
    (void)state;
    submit("/a");
    observer_run("DELETE FROM images");
    close_store();
    recount_ms = 1000;
    open_store();
    recount_ms = 0;
    while (ask(STORE_MESSAGE(STORE_STATUS_COUNTS, store_list))->counts.by_status[IMAGE_PENDING] != 0)
        wait_for_work(); /* the store's own timer */
    expect_status_counts(0, 0, 0, 0, 0);
}

static int setup_with_observer(void **state)
{
    setup(state);
    open_observer();
    return 0;
}

static int teardown_with_observer(void **state)
{
    close_observer();
    return teardown(state);
}

#define FOREIGN(f) cmocka_unit_test_setup_teardown(f, setup_with_observer, teardown_with_observer)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOREIGN(test_an_inserted_image_has_a_time_and_is_claimed_and_counted),
        FOREIGN(test_an_inserted_path_that_is_submitted_keeps_its_row),
        FOREIGN(test_a_path_that_others_insert_twice_is_two_rows_and_the_first_has_its_key),
        FOREIGN(test_an_inserted_person_is_found_by_name),
        FOREIGN(test_a_name_that_others_insert_twice_is_two_people),
        FOREIGN(test_people_with_keys_of_the_older_form_are_found),
        FOREIGN(test_an_inserted_photo_has_a_time),
        FOREIGN(test_a_recount_corrects_what_others_changed),
        FOREIGN(test_a_difference_is_corrected_once),
        FOREIGN(test_the_store_recounts_by_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
