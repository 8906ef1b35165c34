/* After a deletion no table holds anything of what was deleted: names, paths, hashes, embeddings, rows with its ids.
 * All columns of all tables are searched. On SQLite and on MariaDB. */
#include "test/unit/store/deletion_world.h"

/* --- the search --- */

/* Tables that say which ids were deleted, or what nodes still have to remove. */
#define NOT_SEARCHED "'events', 'gallery_log', 'audit', 'erasures', 'erasers', 'schema_version'"

#define COLUMNS(texts, ids)                                                                                            \
    "{SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name "  \
    "NOT LIKE 'sqlite%' AND m.name NOT IN (" NOT_SEARCHED ") AND " texts                                               \
    "|SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name "  \
    "NOT IN (" NOT_SEARCHED ") AND " ids "}"

static struct {
    char table[64], name[64];
} columns[256];

static void read_text(struct db_statement *s, int at, char text[static 64])
{
    size_t len = 0;
    const char *from = observer->driver->column_blob(s, at, &len);

    snprintf(text, 64, "%.*s", (int)len, from);
}

static int read_columns(const char *sql)
{
    struct db_statement *s = db_query(observer, sql);
    int count = 0, result;

    while ((result = observer->driver->step(s)) == DB_ROW) {
        assert_true(count < 256);
        read_text(s, 0, columns[count].table);
        read_text(s, 1, columns[count].name);
        count++;
    }
    observer->driver->reset(s);
    assert_int_equal(result, DB_DONE);
    return count;
}

/* The statement is not kept: its text is made here. */
static int64_t count_rows(const char *sql)
{
    struct db_statement *s = observer->driver->prepare(observer, sql);
    int64_t rows;

    assert_non_null(s);
    assert_int_equal(observer->driver->step(s), DB_ROW);
    rows = observer->driver->column_int(s, 0);
    observer->driver->reset(s);
    return rows;
}

/* Rows of all tables that hold these bytes. */
static int rows_with_bytes(const void *bytes, size_t len, bool expected)
{
    char hex[129] = "", sql[512];
    unsigned char copy[64];
    int found = 0, count = read_columns(COLUMNS("p.type NOT IN ('INTEGER', 'BIGINT', 'DOUBLE')",
                                                "data_type NOT IN ('int', 'bigint', 'double')"));

    assert_true(len <= sizeof copy);
    memcpy(copy, bytes, len);
    for (size_t i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02X", copy[i]);
    for (int i = 0; i < count; i++) {
        int64_t rows;

        snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM %.63s WHERE INSTR(HEX(%.63s), '%s') > 0", columns[i].table,
                 columns[i].name, hex);
        rows = count_rows(sql);
        if (rows && !expected)
            fail_msg("%s.%s holds %s", columns[i].table, columns[i].name, hex);
        found += rows > 0;
    }
    return found;
}

static void expect_text(const char *text)
{
    if (!rows_with_bytes(text, strlen(text), true))
        fail_msg("%s is nowhere before the deletion", text);
}

static void expect_no_text(const char *text)
{
    rows_with_bytes(text, strlen(text), false);
}

/* No row has the id in one of these columns (a list in SQL). */
#define EXPECT_NO_ID(names, id) expect_no_id(COLUMNS("p.name IN (" names ")", "column_name IN (" names ")"), id)
static void expect_no_id(const char *sql, int64_t id)
{
    char text[512];
    int count = read_columns(sql);

    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof text, "SELECT COUNT(*) FROM %.63s WHERE %.63s = %lld", columns[i].table, columns[i].name,
                 (long long)id);
        if (count_rows(text))
            fail_msg("%s.%s has %lld", columns[i].table, columns[i].name, (long long)id);
    }
}

/* --- the records --- */

/* An image with one face of that embedding. Returns the face. */
static int64_t look_at(int64_t id, const float *embedding)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    claim(10);
    m->id = id;
    m->attempt = 1;
    m->outcome = OUTCOME_FACES;
    m->faces = arena_alloc(&m->m.arena, sizeof *m->faces);
    m->face_count = 1;
    m->faces[0] = (struct face){
        .width = 10, .height = 10, .model = "m", .embedding = embedding, .dimension = 2, .person = PERSON_UNKNOWN};
    assert_int_equal(ask(m)->status, STORE_OK);
    return image(id)->faces[0].id;
}

static void say(uint32_t type, int kind, int64_t face, int64_t about)
{
    struct store_word *m = store_message_new(type, sizeof *m);

    m->kind = kind;
    m->face = face;
    m->person = about;
    m->said_by = "tester";
    assert_int_equal(ask(m)->status, STORE_OK);
}

static void name_face(int64_t face, const char *name)
{
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_FACE, store_name_face);

    m->face = face;
    m->person_name = name;
    assert_int_equal(ask(m)->status, STORE_OK);
}

static void merge(int64_t from, int64_t into)
{
    do {
        struct store_merge *m = STORE_MESSAGE(STORE_MERGE, store_merge);

        m->person = from;
        m->into = into;
        m->said_by = "tester";
        assert_int_equal(ask(m)->status, STORE_OK);
    } while (last->more);
}

static void delete_person(int64_t id)
{
    do {
        assert_int_equal(with_id(STORE_PERSON_DELETE, id)->status, STORE_OK);
    } while (last->more);
}

static void join(void)
{
    join_as("a");
    open_observer();
}

static const float FIRST[2] = {0.123f, 0.456f}, SECOND[2] = {0.789f, 0.321f};

/* --- the tests --- */

static void expect_image_is_gone(int64_t id, int64_t face)
{
    expect_no_text("/s/gone.jpg");
    expect_no_text("feedbeef");
    rows_with_bytes(FIRST, sizeof FIRST, false);
    EXPECT_NO_ID("'image_id'", id);
    EXPECT_NO_ID("'place', 'face_id'", face);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM decide_again WHERE kind = 2 AND subject NOT IN (SELECT id "
                                     "FROM faces)"),
                     0);
    assert_true(observer_number("SELECT COUNT(*) FROM erasures WHERE path = '/s/gone.jpg'") == 1);
}

static void test_nothing_of_a_deleted_image_with_words_is_left(void **state)
{
    int64_t id, face;

    (void)state;
    join();
    face = look_at(id = upload("/s/gone.jpg", "feedbeef"), FIRST);
    name_face(face, "Ann"); /* makes a template of the word */
    say(STORE_WORD, WORD_NOT, face, person("Bob"));
    expect_text("feedbeef");
    assert_true(rows_with_bytes(FIRST, sizeof FIRST, true) >= 2); /* the face and the template */
    assert_int_equal(with_id(STORE_DELETE, id)->status, STORE_OK);
    expect_image_is_gone(id, face);
    close_observer();
}

static void test_nothing_of_an_expired_image_is_left(void **state)
{
    struct store_expire *m;
    int64_t id, face;

    (void)state;
    join();
    face = look_at(id = upload("/s/gone.jpg", "feedbeef"), FIRST);
    m = STORE_MESSAGE(STORE_EXPIRE, store_expire);
    m->before_ms = INT64_MAX;
    assert_int_equal(ask(m)->changed, 1);
    expect_image_is_gone(id, face);
    close_observer();
}

static void test_the_words_of_a_deleted_image_stay_with_its_copy(void **state)
{
    int64_t id, face, other;

    (void)state;
    join();
    face = look_at(id = upload("/s/gone.jpg", "feedbeef"), FIRST);
    look_at(other = upload("/s/copy.jpg", "feedbeef"), FIRST);
    name_face(face, "Ann");
    assert_int_equal(with_id(STORE_DELETE, id)->status, STORE_OK);
    EXPECT_NO_ID("'image_id'", id);
    expect_text("feedbeef");
    assert_int_equal(image(other)->faces[0].word, WORD_NAMED);
    close_observer();
}

static void expect_person_is_gone(int64_t id, const char *name)
{
    expect_no_text(name);
    EXPECT_NO_ID("'person', 'person_id', 'into_id'", id);
}

static void test_nothing_of_a_deleted_person_is_left(void **state)
{
    struct store_known *k = STORE_MESSAGE(STORE_KNOWN_FILE, store_known);
    int64_t ann, face, labelled;

    (void)state;
    join();
    ann = person("Annabella");
    k->file = (struct known_file){.path = "/known/1.jpg", .person_name = "Annabella", .size = 3, .sha256 = "feedbeef"};
    k->file.photo = enrol(ann, "/s/gone.jpg", "abad1dea", SECOND);
    k->file.state = KNOWN_ENROLLED;
    assert_int_equal(ask(k)->status, STORE_OK);
    face = look_at(upload("/s/stays.jpg", "cafecafe"), FIRST);
    name_face(face, "Annabella");
    labelled = submit("/labelled");
    claim(10);
    finish_with_label(labelled, "gone.jpg");
    labelled = submit("/labelled too");
    claim(10);
    finish_with_label(labelled, "Annabella");
    delete_person(ann);
    expect_person_is_gone(ann, "Annabella");
    expect_no_text("gone.jpg");
    expect_no_text("abad1dea");
    rows_with_bytes(SECOND, sizeof SECOND, false);
    assert_int_equal(rows_with_bytes(FIRST, sizeof FIRST, true), 1); /* the face of the image */
    assert_int_equal(observer_number("SELECT COUNT(*) FROM words"), 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM erasures WHERE path = '/s/gone.jpg'"), 1);
    close_observer();
}

/* Clara was merged into Berta and she into Annabella. Both photos are the same, so one is parked. */
static void test_nothing_of_merged_people_is_left(void **state)
{
    int64_t ann, berta, clara;

    (void)state;
    join();
    ann = person("Annabella");
    berta = person("Berta");
    clara = person("Clara");
    enrol(berta, "/s/first.jpg", "abad1dea", SECOND);
    enrol(clara, "/s/second.jpg", "abad1dea", SECOND);
    enrol(ann, "/s/third.jpg", "cafecafe", FIRST);
    name_face(look_at(upload("/s/stays.jpg", "feedbeef"), FIRST), "Berta");
    merge(clara, berta);
    merge(berta, ann);
    expect_text("Clara");
    assert_int_equal(observer_number("SELECT COUNT(*) FROM person_images WHERE person_id IS NULL"), 1);
    delete_person(ann);
    expect_person_is_gone(ann, "Annabella");
    expect_person_is_gone(berta, "Berta");
    expect_person_is_gone(clara, "Clara");
    expect_no_text("abad1dea");
    rows_with_bytes(SECOND, sizeof SECOND, false);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM merge_rows"), 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM erasures WHERE path IS NOT NULL"), 3);
    close_observer();
}

static void test_nothing_of_a_deleted_unknown_person_is_left(void **state)
{
    int64_t face, other;

    (void)state;
    join();
    face = look_at(upload("/s/1.jpg", "feedbeef"), FIRST);
    other = look_at(upload("/s/2.jpg", "cafecafe"), FIRST);
    observer_run("UPDATE faces SET unknown_person = (SELECT m FROM (SELECT MIN(id) AS m FROM faces) f)");
    say(STORE_WORD, WORD_NOT, other, person("Bob"));
    say(STORE_IGNORE_UNKNOWN_PERSON, WORD_IGNORED, face, 0);
    assert_true(observer_number("SELECT COUNT(*) FROM words") == 2);
    assert_int_equal(with_id(STORE_FORGET_UNKNOWN, face)->status, STORE_OK);
    assert_int_equal(last->deleted.faces, 2);
    rows_with_bytes(FIRST, sizeof FIRST, false);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM words"), 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM faces"), 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM decide_again WHERE kind = 2"), 0);
    close_observer();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_of_a_deleted_image_with_words_is_left),
        TEST(test_nothing_of_an_expired_image_is_left),
        TEST(test_the_words_of_a_deleted_image_stay_with_its_copy),
        TEST(test_nothing_of_a_deleted_person_is_left),
        TEST(test_nothing_of_merged_people_is_left),
        TEST(test_nothing_of_a_deleted_unknown_person_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
