/* Uploads: paths of the spool, names. On SQLite and on MariaDB. */
#include "test/unit/store_world.h"

/* --- the spool --- */

static struct store_submit *upload(const char *path, const char *sha256, const char *filename)
{
    struct store_submit *m = submission(path);

    m->spooled = true;
    m->sha256 = sha256;
    m->filename = filename;
    return m;
}

static int setup_spool(void **state)
{
    spool_folder = "/data/spool";
    return setup(state);
}

static int teardown_spool(void **state)
{
    spool_folder = NULL;
    return teardown(state);
}

static void move_spool(const char *to)
{
    close_store();
    spool_folder = to;
    open_store();
}

static bool in_use(const char *path)
{
    struct store_text *m = STORE_MESSAGE(STORE_PATH_IN_USE, store_text);

    m->text = path;
    return ask(m)->changed;
}

static void test_paths_of_the_spool_move_with_its_folder(void **state)
{
    int64_t id = ask(upload("/data/spool/ab/abc.jpg", "abc", NULL))->images[0].id,
            other = submit("/data/spoolx/ab.jpg");

    (void)state;
    assert_string_equal(last->images[0].path, "/data/spoolx/ab.jpg");
    assert_string_equal(image(id)->path, "/data/spool/ab/abc.jpg");
    open_observer();
    assert_int_equal(observer_number("SELECT COUNT(*) FROM images WHERE path = 'spool/ab/abc.jpg'"), 1);
    close_observer();
    move_spool("/restored/uploads");
    assert_string_equal(image(id)->path, "/restored/uploads/ab/abc.jpg");
    assert_string_equal(image(other)->path, "/data/spoolx/ab.jpg");
    assert_int_equal(ask(upload("/restored/uploads/ab/abc.jpg", "abc", NULL))->images[0].id, id);
    assert_true(last->images[0].existing);
    assert_int_equal(submit("/restored/uploads/ab/abc.jpg"), id);
    assert_true(in_use("/restored/uploads/ab/abc.jpg"));
    assert_false(in_use("/data/spool/ab/abc.jpg"));
    claim(10);
    assert_int_equal(last->image_count, 2);
    for (int i = 0; i < 2; i++)
        assert_string_equal(last->images[i].path,
                            last->images[i].id == id ? "/restored/uploads/ab/abc.jpg" : "/data/spoolx/ab.jpg");
}

static void test_photos_and_deletions_of_a_moved_spool_name_its_files(void **state)
{
    struct store_photo *p = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);
    struct store_eraser *e = STORE_MESSAGE(STORE_ERASER_JOIN, store_eraser);
    struct store_claim_embedding *c;
    struct store_id *m;
    int64_t photo;

    (void)state;
    e->node = "test";
    ask(e);
    p->person_name = "Ann";
    p->photo_name = "ann.jpg";
    p->path = "/data/spool/cd/cde.jpg";
    p->sha256 = "cde";
    p->spooled = true;
    photo = ask(p)->photos[0].id;
    move_spool("/restored/spool");
    assert_true(in_use("/restored/spool/cd/cde.jpg"));
    c = STORE_MESSAGE(STORE_CLAIM_PHOTO, store_claim_embedding);
    c->model = "m";
    c->lease_ms = 60000;
    assert_int_equal(ask(c)->photo_count, 1);
    assert_string_equal(last->photos[0].path, "/restored/spool/cd/cde.jpg");
    assert_string_equal(ask(STORE_MESSAGE(STORE_KNOWN_PHOTO, store_id))->texts[0], "/restored/spool/cd/cde.jpg");
    m = STORE_MESSAGE(STORE_PHOTO_DELETE, store_id);
    m->id = photo;
    ask(m);
    move_spool("/again/spool");
    e = STORE_MESSAGE(STORE_ERASURES, store_eraser);
    e->node = "test";
    e->count = 10;
    assert_int_equal(ask(e)->erasure_count, 1);
    assert_string_equal(last->erasures[0].path, "/again/spool/cd/cde.jpg");
    assert_false(last->erasures[0].in_use);
}

/* The steps of the newest schema can be repeated in MariaDB. For SQLite: test/integration/test_uploads.py.
 */
static void test_absolute_paths_of_the_version_before_become_relative(void **state)
{
    int64_t id;

    (void)state;
    if (strcmp(database(), "sqlite") == 0)
        skip();
    open_observer();
    observer_run(
        "INSERT INTO images(path, path_key, spooled, sha256) VALUES('/old/spool/ab/abcd.jpg', 'k1', 1, 'abcd'), "
        "('/photos/abcd.jpg', 'k2', 0, 'abcd')");
    observer_run(
        "INSERT INTO person_images(image_name, path, spooled, sha256) VALUES('p', '/old/spool/cd/cdef.png', 1, "
        "'cdef')");
    observer_run("DELETE FROM schema_version WHERE version > 4");
    move_spool("/new/spool");
    assert_int_equal(observer_number("SELECT COUNT(*) FROM images WHERE path = '/photos/abcd.jpg'"), 1);
    id = observer_number("SELECT id FROM images WHERE spooled = 1");
    close_observer();
    assert_string_equal(image(id)->path, "/new/spool/ab/abcd.jpg");
    assert_int_equal(ask(upload("/new/spool/ab/abcd.jpg", "abcd", NULL))->images[0].id, id);
    assert_true(last->images[0].existing);
    assert_true(in_use("/new/spool/cd/cdef.png"));
}

/* --- names of uploads --- */

static void test_the_first_name_of_an_upload_stays(void **state)
{
    int64_t id = ask(upload("/data/spool/ab/abc.jpg", "abc", NULL))->images[0].id;

    (void)state;
    assert_null(last->images[0].filename);
    ask(upload("/data/spool/ab/abc.jpg", "abc", "first.jpg"));
    assert_string_equal(last->images[0].filename, "first.jpg");
    ask(upload("/data/spool/ab/abc.jpg", "abc", "second.jpg"));
    assert_string_equal(last->images[0].filename, "first.jpg");
    assert_string_equal(image(id)->filename, "first.jpg");
    ask(upload("/data/spool/cd/cde.jpg", "cde", "other.jpg"));
    assert_string_equal(last->images[0].filename, "other.jpg");
}

#define SPOOL_TEST(f) cmocka_unit_test_setup_teardown(f, setup_spool, teardown_spool)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPOOL_TEST(test_paths_of_the_spool_move_with_its_folder),
        SPOOL_TEST(test_photos_and_deletions_of_a_moved_spool_name_its_files),
        SPOOL_TEST(test_absolute_paths_of_the_version_before_become_relative),
        SPOOL_TEST(test_the_first_name_of_an_upload_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
