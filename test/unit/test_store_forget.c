/* Deletions and what they leave to the nodes; deletion by age; the audit trail; the size of the file. On SQLite and on
 * MariaDB. */
#include "test/unit/store/deletion_world.h"

#include <sys/stat.h>

static const float EMBEDDING[2] = {1, 0};

static struct store_reply *as_eraser(uint32_t type, const char *node, const int64_t *ids, int count)
{
    struct store_eraser *m = store_message_new(type, sizeof *m);

    m->node = node;
    m->ids = ids;
    m->count = count;
    return ask(m);
}

static struct store_reply *erasures(const char *node)
{
    return as_eraser(STORE_ERASURES, node, NULL, 10);
}

static struct store_reply *expire(int64_t before_ms, bool unknown_only, bool dry)
{
    struct store_expire *m = STORE_MESSAGE(STORE_EXPIRE, store_expire);

    m->before_ms = before_ms;
    m->unknown_only = unknown_only;
    m->dry = dry;
    return ask(m);
}

static void prune(int64_t events_before_ms, int64_t audit_before_ms, int64_t erasers_before_ms)
{
    struct store_prune *m = STORE_MESSAGE(STORE_PRUNE, store_prune);

    m->events_keep = 1000000;
    m->events_before_ms = events_before_ms;
    m->audit_before_ms = audit_before_ms;
    m->erasers_before_ms = erasers_before_ms;
    assert_int_equal(ask(m)->status, STORE_OK);
}

static void test_a_deletion_is_listed_for_each_node_until_it_is_done(void **state)
{
    int64_t id = upload("/s/a.jpg", "aa"), first;

    (void)state;
    assert_int_equal(erasures("a")->changed, 0); /* it has not joined */
    join_as("a");
    join_as("b");
    assert_int_equal(with_id(STORE_DELETE, id)->status, STORE_OK);
    assert_int_equal(last->deleted.images, 1);
    assert_int_equal(last->deleted.files, 1);
    assert_int_equal(erasures("a")->erasure_count, 1);
    assert_int_equal(last->changed, 1);
    assert_string_equal(last->erasures[0].path, "/s/a.jpg");
    assert_string_equal(last->erasures[0].sha256, "aa");
    assert_false(last->erasures[0].in_use);
    first = last->erasures[0].id;
    assert_int_equal(as_eraser(STORE_ERASED, "a", &first, 1)->status, STORE_OK);
    assert_false(last->more); /* the log is empty */
    assert_int_equal(erasures("a")->erasure_count, 0);
    assert_int_equal(erasures("b")->erasure_count, 1);
    assert_int_equal(erasures("c")->changed, 0);
}

static void finish_with_hash(int64_t id, const char *sha256)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    assert_int_equal(claim(10), 1);
    m->id = id;
    m->attempt = last->images[0].attempt;
    m->outcome = OUTCOME_FAILED;
    m->reason = "because";
    m->sha256 = sha256;
    assert_int_equal(ask(m)->changed, 1);
}

static void test_thumbnails_of_a_former_content_are_left_to_the_nodes(void **state)
{
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);
    int64_t id = submit("/a.jpg");

    (void)state;
    join_as("a");
    finish_with_hash(id, "aa");
    m->id = id;
    ask(m);
    finish_with_hash(id, "bb");
    assert_int_equal(erasures("a")->erasure_count, 1);
    assert_string_equal(last->erasures[0].sha256, "aa");
    assert_null(last->erasures[0].path);
}

static void test_the_faces_of_an_unknown_person_go_and_the_images_stay(void **state)
{
    int64_t id = submit("/a.jpg"), face;

    (void)state;
    join_as("a");
    claim(10);
    finish_with_face(id, 1, PERSON_UNKNOWN, 0);
    face = image(id)->faces[0].id;
    assert_int_equal(with_id(STORE_FORGET_UNKNOWN, face)->status, STORE_NOT_FOUND);
    open_observer();
    observer_run("UPDATE faces SET unknown_person = id");
    assert_int_equal(with_id(STORE_FORGET_UNKNOWN, face)->deleted.faces, 1);
    assert_int_equal(image(id)->face_count, 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM faces"), 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM gallery_log WHERE kind = 6"), 1);
    assert_int_equal(erasures("a")->erasure_count, 1);
    close_observer();
}

static void test_a_file_that_something_else_has_is_in_use(void **state)
{
    int64_t id = upload("/s/a.jpg", "aa"), ann = person("Ann"), photo = enrol(ann, "/s/a.jpg", "aa", EMBEDDING);

    (void)state;
    join_as("a");
    with_id(STORE_DELETE, id);
    assert_true(erasures("a")->erasures[0].in_use);
    assert_int_equal(with_id(STORE_PHOTO_DELETE, photo)->deleted.photos, 1);
    assert_int_equal(erasures("a")->erasure_count, 2);
    assert_false(last->erasures[0].in_use);
    assert_false(last->erasures[1].in_use);
}

static void test_a_person_with_more_photos_than_a_batch_leaves_them_all_to_the_nodes(void **state)
{
    enum { PHOTOS = 1001 };
    int64_t ann;
    char path[32];
    int batches = 0, photos = 0;

    (void)state;
    join_as("a");
    ann = person("Ann");
    for (int i = 0; i < PHOTOS; i++) {
        snprintf(path, sizeof path, "/s/%d.jpg", i);
        enrol(ann, path, path, EMBEDDING);
    }
    do {
        assert_int_equal(with_id(STORE_PERSON_DELETE, ann)->status, STORE_OK);
        photos += (int)last->deleted.photos;
        batches++;
    } while (last->more);
    assert_int_equal(batches, 3);
    assert_int_equal(photos, PHOTOS);
    open_observer();
    assert_int_equal(observer_number("SELECT COUNT(*) FROM erasures WHERE path IS NOT NULL"), PHOTOS);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM person_images"), 0);
    close_observer();
}

static void test_the_second_of_two_deletions_counts_nothing(void **state)
{
    int64_t id = upload("/s/a.jpg", "aa");

    (void)state;
    assert_int_equal(with_id(STORE_DELETE, id)->status, STORE_OK);
    assert_int_equal(with_id(STORE_DELETE, id)->status, STORE_NOT_FOUND);
    expect_status_counts(0, 0, 0, 0, 0);
}

static void test_the_idempotency_record_of_an_image_goes_with_it(void **state)
{
    int64_t id = upload("/s/a.jpg", "aa");

    (void)state;
    with_id(STORE_DELETE, id);
    assert_true(upload("/s/a.jpg", "bb") > id);
}

static bool is_there(int64_t id)
{
    return with_id(STORE_IMAGE, id)->status == STORE_OK;
}

/* Images 1 and 2 are unknown, one with a word of a person; 3 failed; 4 is being processed, 5 waits. */
static void fill_with_all_kinds(int64_t ids[static 5])
{
    static const char *const paths[] = {"/1", "/2", "/3", "/4", "/5"};

    for (int i = 0; i < 4; i++)
        ids[i] = submit(paths[i]);
    assert_int_equal(claim(10), 4);
    finish_with_face(ids[0], 1, PERSON_UNKNOWN, 0);
    finish_with_face(ids[1], 1, PERSON_UNKNOWN, 0);
    finish(ids[2], 1, OUTCOME_FAILED, false);
    ids[4] = submit(paths[4]);
    open_observer();
    observer_run("UPDATE faces SET word = 3 WHERE image_id = (SELECT id FROM images WHERE path = '/2')");
    close_observer();
}

static void test_old_images_are_deleted_and_others_stay(void **state)
{
    int64_t ids[5];

    (void)state;
    fill_with_all_kinds(ids);
    assert_int_equal(expire(1, false, false)->changed, 0); /* all are younger */
    assert_int_equal(expire(INT64_MAX, false, true)->changed, 2);
    expect_status_counts(1, 2, 1, 1, 2);
    assert_int_equal(expire(INT64_MAX, true, false)->changed, 1);
    assert_false(is_there(ids[0]));
    assert_int_equal(expire(INT64_MAX, false, false)->changed, 1);
    assert_false(is_there(ids[2]));
    assert_true(is_there(ids[1])); /* a person said something */
    assert_true(is_there(ids[3]));
    assert_true(is_there(ids[4]));
    expect_status_counts(1, 1, 0, 1, 1);
    assert_int_equal(expire(INT64_MAX, false, false)->changed, 0);
}

static void test_expiry_goes_on_where_a_batch_ended(void **state)
{
    enum { IMAGES = 450 };
    struct store_submit *m = STORE_MESSAGE(STORE_SUBMIT, store_submit);
    const char **paths = arena_alloc(&m->m.arena, IMAGES * sizeof *paths);
    int64_t after = 0;
    int batches = 0, deleted = 0;

    (void)state;
    for (int i = 0; i < IMAGES; i++) {
        char path[16];

        snprintf(path, sizeof path, "/%d", i);
        paths[i] = arena_text(&m->m.arena, path);
    }
    m->paths = paths;
    m->count = IMAGES;
    ask(m);
    open_observer();
    observer_run("UPDATE images SET status = 2, finished_at = 5");
    close_observer();
    do {
        struct store_expire *e = STORE_MESSAGE(STORE_EXPIRE, store_expire);

        e->before_ms = INT64_MAX;
        e->after = after;
        assert_int_equal(ask(e)->status, STORE_OK);
        after = last->next;
        deleted += (int)last->changed;
        batches++;
    } while (last->more);
    assert_int_equal(deleted, IMAGES);
    assert_int_equal(batches, 3);
}

static struct store_reply *audit(int64_t person, const char *who, const char *action, int64_t after)
{
    struct store_audit_list *m = STORE_MESSAGE(STORE_AUDIT, store_audit_list);

    m->person = person;
    m->who = who;
    m->action = action;
    m->after = after;
    m->limit = 2;
    return ask(m);
}

static void test_the_audit_trail_lists_the_newest_first_by_any_filter(void **state)
{
    int64_t ann = person("Ann");

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct store_audit *m = STORE_MESSAGE(STORE_AUDIT_ADD, store_audit);

        m->entry = (struct audit_entry){
            .at_ms = 10 + i, .who = i ? "b" : "a", .action = "face named", .person = i == 2 ? ann : 0, .image = 7};
        assert_int_equal(ask(m)->status, STORE_OK);
    }
    assert_int_equal(audit(0, NULL, NULL, 0)->audit_count, 2);
    assert_int_equal(last->audit[0].at_ms, 12);
    assert_string_equal(last->audit[0].person_name, "Ann");
    assert_null(last->audit[1].person_name);
    assert_int_equal(audit(0, NULL, NULL, last->next)->audit_count, 1);
    assert_int_equal(last->next, 0);
    assert_int_equal(audit(ann, NULL, NULL, 0)->audit_count, 1);
    assert_int_equal(audit(0, "a", NULL, 0)->audit_count, 1);
    assert_int_equal(audit(0, "b", "face named", 0)->audit_count, 2);
    assert_int_equal(audit(0, "b", "other", 0)->audit_count, 0);
    with_id(STORE_PERSON_DELETE, ann);
    assert_null(audit(ann, NULL, NULL, 0)->audit[0].person_name);
    prune(0, 12, 0);
    assert_int_equal(audit(0, NULL, NULL, 0)->audit_count, 1);
}

static void test_old_events_go_and_nodes_that_were_away_for_long(void **state)
{
    int64_t id = upload("/s/a.jpg", "aa");

    (void)state;
    join_as("a");
    with_id(STORE_DELETE, id);
    open_observer();
    observer_run("UPDATE erasers SET seen_at = 5");
    observer_run("UPDATE events SET at = 5 WHERE image_id > 0");
    prune(5, 0, 5);
    assert_int_equal(erasures("a")->erasure_count, 1);
    assert_true(observer_number("SELECT COUNT(*) FROM events") > 0);
    prune(6, 0, 6);
    assert_int_equal(erasures("a")->changed, 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM erasures"), 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM events"), 0);
    close_observer();
}

static int64_t size_of(const char *ending)
{
    char file[128];
    struct stat st;

    snprintf(file, sizeof file, "%s/kith.db%s", folder, ending);
    return stat(file, &st) < 0 ? -1 : st.st_size;
}

/* The embedded database only. */
static void test_the_file_shrinks_and_the_log_is_emptied(void **state)
{
    int64_t before;

    (void)state;
    if (strcmp(database(), "sqlite") != 0)
        skip();
    for (int i = 0; i < 300; i++) {
        char path[900];

        memset(path, 'x', sizeof path);
        snprintf(path, 16, "/%d", i);
        path[strlen(path)] = 'x';
        path[sizeof path - 1] = 0;
        upload(path, "aa");
    }
    open_observer();
    assert_int_equal(observer_number("PRAGMA auto_vacuum"), 2);
    observer_run("UPDATE images SET status = 2, finished_at = 5");
    close_observer();
    as_eraser(STORE_ERASED, "a", NULL, 0);
    before = size_of("");
    while (expire(INT64_MAX, false, false)->more)
        ;
    assert_true(size_of("-wal") > 0);
    prune(0, 0, 0);
    assert_int_equal(as_eraser(STORE_ERASED, "a", NULL, 0)->more, false);
    assert_int_equal(size_of("-wal"), 0);
    if (size_of("") > before * 3 / 4)
        fail_msg("%lld bytes, before %lld", (long long)size_of(""), (long long)before);
}

static void test_a_reader_delays_the_emptying_of_the_log(void **state)
{
    (void)state;
    if (strcmp(database(), "sqlite") != 0)
        skip();
    submit("/a");
    open_observer();
    observer_run("BEGIN");
    observer_number("SELECT COUNT(*) FROM images");
    submit("/b");
    assert_true(as_eraser(STORE_ERASED, "a", NULL, 0)->more);
    observer_run("COMMIT");
    assert_false(as_eraser(STORE_ERASED, "a", NULL, 0)->more);
    close_observer();
}

static struct store_reply *traces(int64_t image, int64_t person_id, const char *text)
{
    struct store_traces *m = STORE_MESSAGE(STORE_TRACES, store_traces);

    m->image = image;
    m->person = person_id;
    m->text = text;
    return ask(m);
}

static void test_traces_of_a_person_and_an_image_are_found(void **state)
{
    int64_t id = upload("/s/a.jpg", "aa"), ann = person("Ann");

    (void)state;
    enrol(ann, "/s/b.jpg", "bb", EMBEDDING);
    assert_int_equal(traces(0, ann, NULL)->text_count, 4);
    assert_string_equal(last->texts[0], "person: 1");
    assert_int_equal(last->template_count, 1);
    assert_int_equal(traces(0, 0, "Ann")->people[0].id, ann);
    assert_int_equal(traces(0, 0, "/s/a.jpg")->images[0].id, id);
    assert_int_equal(traces(id, 0, NULL)->text_count, 2); /* and its idempotency record */
    with_id(STORE_DELETE, id);
    with_id(STORE_PERSON_DELETE, ann);
    assert_int_equal(traces(id, ann, "Ann")->text_count, 0);
    assert_int_equal(traces(0, 0, "aa")->text_count, 0);
    assert_int_equal(traces(0, 0, "/s/b.jpg")->text_count, 0);
}

/* --- the search of all columns --- */

/* What all columns hold of the string, one line after the other. */
static const char *search(const char *bytes, size_t len, bool text)
{
    static char lines[2048];
    struct search_string string = {.what = "it", .bytes = bytes, .len = len, .text = text};
    int64_t column = 0;

    lines[0] = 0;
    do {
        struct store_search *m = STORE_MESSAGE(STORE_SEARCH_COLUMN, store_search);

        m->column = column++;
        m->strings = &string;
        m->count = 1;
        assert_int_equal(ask(m)->status, STORE_OK);
        for (int i = 0; i < last->text_count; i++) {
            strcat(lines, last->texts[i]);
            strcat(lines, "\n");
        }
    } while (last->more);
    assert_true(column > 20);
    return lines;
}

static void test_all_columns_are_searched_also_those_of_other_tables(void **state)
{
    static const float found[2] = {0.123f, 0.456f};

    (void)state;
    enrol(person("Ann"), "/s/Ann.jpg", "aa", found);
    person("Annabel");
    assert_string_equal(search("Ann", 3, true), "column person.name: 1 row with it\n"
                                                "column person_images.image_name: 1 row with it\n"
                                                "column person_images.path: 1 row with it\n");
    assert_string_equal(search("nn", 2, true), "");
    assert_string_equal(search((const char *)found, sizeof found, false),
                        "column templates.embedding: 1 row with it\n");
    open_observer();
    observer_run("CREATE TABLE `old `` people`(id INTEGER, `full name` VARCHAR(20){| CHARACTER SET latin1})");
    observer_run("INSERT INTO `old `` people` VALUES(1, 'Zo\u00eb'), (2, 'Zo\u00eb!'), (3, 'Zo\u00ebs')");
    assert_string_equal(search("Zo\u00eb", 4, true), "column old ` people.full name: 2 rows with it\n");
    observer_run("DROP TABLE `old `` people`");
    close_observer();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_deletion_is_listed_for_each_node_until_it_is_done),
        TEST(test_the_faces_of_an_unknown_person_go_and_the_images_stay),
        TEST(test_a_file_that_something_else_has_is_in_use),
        TEST(test_thumbnails_of_a_former_content_are_left_to_the_nodes),
        TEST(test_a_person_with_more_photos_than_a_batch_leaves_them_all_to_the_nodes),
        TEST(test_the_second_of_two_deletions_counts_nothing),
        TEST(test_the_idempotency_record_of_an_image_goes_with_it),
        TEST(test_old_images_are_deleted_and_others_stay),
        TEST(test_expiry_goes_on_where_a_batch_ended),
        TEST(test_the_audit_trail_lists_the_newest_first_by_any_filter),
        TEST(test_old_events_go_and_nodes_that_were_away_for_long),
        TEST(test_the_file_shrinks_and_the_log_is_emptied),
        TEST(test_a_reader_delays_the_emptying_of_the_log),
        TEST(test_traces_of_a_person_and_an_image_are_found),
        TEST(test_all_columns_are_searched_also_those_of_other_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
