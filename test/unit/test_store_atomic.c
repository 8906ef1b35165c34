/* Each operation of the store takes effect as a whole or not at all: an operation that refuses or fails leaves no row
 * behind. Errors are injected at every statement of every operation, and at COMMIT. */
#include "test/unit/store_world.h"

#include "core/store/db/db.h"

/* --- what the tables hold --- */

/* Integers that identify each row of each table. */
static const struct {
    const char *sql;
    int columns;
} tables[] = {
    {"SELECT id, status, verdict, person, attempt, tries, crashes, cycle, finished_at, run_after FROM images "
     "ORDER BY id",
     10},
    {"SELECT id, image_id, person, unknown_person FROM faces ORDER BY id", 4},
    {"SELECT id, LENGTH(name) FROM person ORDER BY id", 2},
    {"SELECT id, person_id FROM person_images ORDER BY id", 2},
    {"SELECT id, person_id, photo_id, counter FROM templates ORDER BY id", 4},
    {"SELECT n, kind, person_id, template_id FROM gallery_log ORDER BY n", 4},
    {"SELECT n FROM gallery_head", 1},
    {"SELECT id, kind, image_id, person_id FROM events ORDER BY id", 4},
    {"SELECT id, pending, processed, failed, processing, unknown FROM tally WHERE pending <> 0 OR processed <> 0 OR "
     "failed <> 0 OR processing <> 0 OR unknown <> 0 ORDER BY id",
     6},
    {"SELECT id FROM api_keys ORDER BY id", 1},
    {"SELECT created_at FROM idempotency ORDER BY idem_key", 1},
    {"SELECT until_ms FROM quarantine ORDER BY sha256", 1},
    {"SELECT size, taken FROM known_files ORDER BY path_key", 2},
};

static struct db *observer; /* a connection beside the store's */

static void open_observer(void)
{
    struct db_address address = {.password = "kith", .timeout_s = 5};
    struct error error = {0};
    char file[96];

    snprintf(file, sizeof file, "%s/kith.db", folder);
    if (strcmp(database(), "sqlite") == 0) {
        observer = db_open_sqlite(file, DB_READER, &error);
    } else {
        assert_int_equal(db_address_parse(database(), &address, &error), 0);
        observer = db_open_mariadb(&address, &error);
    }
    if (!observer)
        fail_msg("%s", error.text);
}

/* FNV-1a over all integers of all tables. */
static uint64_t state_of_tables(void)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        struct db_statement *s = db_query(observer, tables[t].sql);
        int result;

        while ((result = observer->driver->step(s)) == DB_ROW)
            for (int i = 0; i < tables[t].columns; i++)
                hash = (hash ^ (uint64_t)observer->driver->column_int(s, i)) * 1099511628211u;
        observer->driver->reset(s);
        assert_int_equal(result, DB_DONE);
        hash = (hash ^ t) * 1099511628211u;
    }
    return hash;
}

/* --- the operations, each as it writes most --- */

static int64_t ann, face_of_ann, unknown_face, unknown_image, running, failed, photo;

static void *make_submit(void)
{
    struct store_submit *m = submission("/new");

    m->idempotency_key = "key";
    m->request_hash = "hash";
    m->trace = "trace";
    return m;
}

static void *make_claim(void)
{
    struct store_claim *m = STORE_MESSAGE(STORE_CLAIM, store_claim);

    m->max = 10;
    m->owner = "me";
    m->lease_ms = 30000;
    return m;
}

static void *make_finish(void)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    m->id = running;
    m->attempt = 1;
    m->faces = arena_alloc(&m->m.arena, sizeof *m->faces);
    m->face_count = 1;
    m->faces[0] = (struct face){.width = 10, .model = "m", .person = ann, .similarity = 0.9};
    return m;
}

static void *make_renew(void)
{
    struct store_renew *m = STORE_MESSAGE(STORE_RENEW, store_renew);
    static const int64_t attempt = 1;

    m->ids = &running;
    m->attempts = &attempt;
    m->count = 1;
    m->lease_ms = 3600000;
    return m;
}

static void *make_reap(void)
{
    struct store_reap *m = STORE_MESSAGE(STORE_REAP, store_reap);

    m->not_owner = "another process";
    m->max_tries = 5;
    return m;
}

static void *make_retry(void)
{
    return STORE_MESSAGE(STORE_RETRY, store_retry);
}

static void *make_id(uint32_t type, int64_t id)
{
    struct store_id *m = store_message_new(type, sizeof *m);

    m->id = id;
    return m;
}

static void *make_delete(void)
{
    return make_id(STORE_DELETE, failed);
}

static void *make_person_delete(void)
{
    return make_id(STORE_PERSON_DELETE, ann);
}

static void *make_photo_delete(void)
{
    return make_id(STORE_PHOTO_DELETE, photo);
}

static void *make_person_add(void)
{
    struct store_person *m = STORE_MESSAGE(STORE_PERSON_ADD, store_person);

    m->name = "Bo";
    return m;
}

static void *make_person_rename(void)
{
    struct store_person *m = STORE_MESSAGE(STORE_PERSON_RENAME, store_person);

    m->id = ann;
    m->name = "Annabel";
    return m;
}

static void *make_photo_add(void)
{
    struct store_photo *m = STORE_MESSAGE(STORE_PHOTO_ADD, store_photo);
    static const float embedding[2] = {1, 0};

    m->person_name = "Cleo";
    m->photo_name = "cleo.jpg";
    m->path = "/people/cleo.jpg";
    m->sha256 = "abc";
    m->model = "m";
    m->embedding = embedding;
    m->dimension = 2;
    return m;
}

static struct store_name_face *make_name(uint32_t type, int64_t face, const char *name)
{
    struct store_name_face *m = store_message_new(type, sizeof *m);

    m->face = face;
    m->person_name = name;
    return m;
}

static void *make_name_face(void)
{
    return make_name(STORE_NAME_FACE, unknown_face, "Dora");
}

static void *make_name_unknown(void)
{
    return make_name(STORE_NAME_UNKNOWN_PERSON, unknown_face, "Emil");
}

static void *make_deny(void)
{
    struct store_name_face *m = make_name(STORE_DENY_FACE, face_of_ann, NULL);

    m->person = ann;
    return m;
}

static void *make_resolve(void)
{
    struct store_resolve *m = STORE_MESSAGE(STORE_RESOLVE, store_resolve);
    struct resolved *r = arena_alloc(&m->m.arena, sizeof *r);

    *r = (struct resolved){
        .face = unknown_face, .image = unknown_image, .was = PERSON_UNKNOWN, .person = ann, .distance = 0.2};
    m->faces = r;
    m->count = 1;
    return m;
}

static void *make_known_file(void)
{
    struct store_known *m = STORE_MESSAGE(STORE_KNOWN_FILE, store_known);

    m->file = (struct known_file){.path = "/people/x.jpg", .person_name = "x", .size = 3};
    return m;
}

static void *make_quarantine(void)
{
    struct store_text *m = STORE_MESSAGE(STORE_QUARANTINE, store_text);

    m->text = "abc";
    m->for_ms = 1000;
    return m;
}

static void *make_prune(void)
{
    struct store_prune *m = STORE_MESSAGE(STORE_PRUNE, store_prune);

    m->events_keep = 2;
    m->gallery_log_before_ms = INT64_MAX;
    return m;
}

static void *make_key_add(void)
{
    struct store_key *m = STORE_MESSAGE(STORE_KEY_ADD, store_key);

    m->name = "k";
    m->roles = "read";
    m->hash = "abc";
    return m;
}

static void *make_list(uint32_t type)
{
    struct store_list *m = store_message_new(type, sizeof *m);

    m->status = m->verdict = -1;
    m->limit = 10;
    return m;
}

static void *make_image(void)
{
    return make_id(STORE_IMAGE, unknown_image);
}

static void *make_face(void)
{
    return make_id(STORE_FACE, unknown_face);
}

static void *make_photos(void)
{
    return make_id(STORE_PHOTOS, ann);
}

static void *make_path_in_use(void)
{
    struct store_text *m = STORE_MESSAGE(STORE_PATH_IN_USE, store_text);

    m->text = "/nowhere";
    return m;
}

#define LIST(name, type)                                                                                               \
    static void *name(void)                                                                                            \
    {                                                                                                                  \
        return make_list(type);                                                                                        \
    }
LIST(make_images, STORE_IMAGES)
LIST(make_events, STORE_EVENTS)
LIST(make_tally, STORE_TALLY)
LIST(make_people, STORE_PEOPLE)
LIST(make_changes, STORE_GALLERY_CHANGES)
LIST(make_unknown_faces, STORE_UNKNOWN_FACES)
LIST(make_unknown_people, STORE_UNKNOWN_PEOPLE)
LIST(make_known_files, STORE_KNOWN_FILES)
LIST(make_quarantined, STORE_QUARANTINED)
LIST(make_keys, STORE_KEYS)

static const struct {
    const char *name;
    void *(*make)(void);
    bool reads;
} operations[] = {
    {"submit", make_submit, false},
    {"renew", make_renew, false},
    {"finish", make_finish, false},
    {"claim", make_claim, false},
    {"reap", make_reap, false},
    {"retry", make_retry, false},
    {"delete", make_delete, false},
    {"person add", make_person_add, false},
    {"person rename", make_person_rename, false},
    {"photo add", make_photo_add, false},
    {"photo delete", make_photo_delete, false},
    {"resolve", make_resolve, false},
    {"deny face", make_deny, false},
    {"known file", make_known_file, false},
    {"quarantine", make_quarantine, false},
    {"key add", make_key_add, false},
    {"image", make_image, true},
    {"face", make_face, true},
    {"photos", make_photos, true},
    {"images", make_images, true},
    {"events", make_events, true},
    {"tally", make_tally, true},
    {"people", make_people, true},
    {"gallery changes", make_changes, true},
    {"unknown faces", make_unknown_faces, true},
    {"unknown people", make_unknown_people, true},
    {"known files", make_known_files, true},
    {"quarantined", make_quarantined, true},
    {"path in use", make_path_in_use, true},
    {"keys", make_keys, true},
};

/* Two operations each need an unknown face of their own. */
static const struct {
    const char *name;
    void *(*make)(void);
} last_operations[] = {
    {"name face", make_name_face},
    {"name unknown person", make_name_unknown},
    {"person delete", make_person_delete},
    {"prune", make_prune},
};

static void unknown_again(const char *path)
{
    struct store_resolve *m = STORE_MESSAGE(STORE_RESOLVE, store_resolve);
    struct resolved *r = arena_alloc(&m->m.arena, sizeof *r);

    unknown_image = submit(path);
    claim(10);
    assert_int_equal(finish_with_face(unknown_image, 1, PERSON_UNKNOWN, 0)->changed, 1);
    unknown_face = image(unknown_image)->faces[0].id;
    *r = (struct resolved){.face = unknown_face,
                           .image = unknown_image,
                           .was = PERSON_UNKNOWN,
                           .person = PERSON_UNKNOWN,
                           .unknown_person = unknown_face};
    m->faces = r;
    m->count = 1;
    assert_int_equal(ask(m)->status, STORE_OK);
}

static void fill(void)
{
    int64_t known = submit("/ann");
    struct store_photo *p = make_photo_add();

    ann = person("Ann");
    failed = submit("/failed");
    claim(10);
    finish_with_face(known, 1, ann, 0.3);
    face_of_ann = image(known)->faces[0].id;
    finish(failed, 1, OUTCOME_FAILED, false);
    p->person_name = NULL;
    p->person = ann;
    photo = ask(p)->photos[0].id;
    unknown_again("/unknown");
    running = submit("/running");
    claim(10);
    submit("/waiting");
}

/* Runs one operation with an error at its first statement, its second, … until it meets none. */
static void fail_at_each_step(const char *name, void *(*make)(void), bool reads)
{
    for (int step = 1; step < 200; step++) {
        uint64_t before = state_of_tables();

        atomic_store(&db_fault.hits, 0);
        atomic_store(&db_fault.step, step);
        ask(make());
        atomic_store(&db_fault.step, 0);
        if (atomic_load(&db_fault.hits) == 0) {
            if (last->status != STORE_OK)
                fail_msg("%s without an error: %s", name, last->error);
            if (!reads && state_of_tables() == before)
                fail_msg("%s changed nothing", name);
            return;
        }
        if (last->status == STORE_OK || last->status == STORE_NOT_FOUND)
            fail_msg("%s, step %d: an error became status %d", name, step, last->status);
        if (state_of_tables() != before)
            fail_msg("%s, step %d: failed and left changes", name, step);
    }
    fail_msg("%s never succeeded", name);
}

static void test_an_error_at_any_statement_undoes_the_operation(void **state)
{
    (void)state;
    open_observer();
    fill();
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        fail_at_each_step(operations[i].name, operations[i].make, operations[i].reads);
    for (size_t i = 0; i < sizeof last_operations / sizeof last_operations[0]; i++) {
        char path[32];

        snprintf(path, sizeof path, "/again/%zu", i);
        unknown_again(path);
        fail_at_each_step(last_operations[i].name, last_operations[i].make, false);
    }
    db_close(observer);
}

static void test_a_failed_commit_is_no_success(void **state)
{
    uint64_t before;

    (void)state;
    open_observer();
    before = state_of_tables();
    atomic_store(&db_fault.commit, 1);
    assert_int_equal(ask(submission("/a"))->status, STORE_BROKEN);
    atomic_store(&db_fault.commit, 0);
    assert_true(state_of_tables() == before);
    assert_int_equal(ask(submission("/a"))->status, STORE_OK);
    assert_false(last->images[0].existing);
    expect_tally(1, 0, 0, 0, 0);
    db_close(observer);
}

static void test_a_text_that_is_not_utf8_is_stored_with_replacements(void **state)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);
    struct store_submit *s = submission("/b");
    int64_t id = submit("/a");

    (void)state;
    claim(1);
    m->id = id;
    m->attempt = 1;
    m->outcome = OUTCOME_FAILED;
    m->reason = "caf\xc3";
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_string_equal(image(id)->reason, "caf?");
    s->idempotency_key = "caf\xe9";
    s->request_hash = "hash";
    assert_int_equal(ask(s)->status, STORE_OK);
}

static void test_an_error_of_the_database_is_permanent_and_not_shown_to_clients(void **state)
{
    (void)state;
    assert_int_equal(ask(STORE_MESSAGE(STORE_QUARANTINE, store_text))->status, STORE_BROKEN); /* NOT NULL fails */
    assert_true(last->permanent);
    assert_null(strstr(last->error, "quarantine"));
    assert_null(strstr(last->error, "sha256"));
}

/* --- refusals --- */

static int answers[STORE_AWAY + 1], answered_count;

static void on_answer(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context;
    assert_int_equal(status, ACTOR_OK);
    answers[((const struct store_reply *)reply)->status]++;
    answered_count++;
}

static void test_a_refused_operation_leaves_nothing_behind(void **state)
{
    uint64_t before;

    (void)state;
    open_observer();
    before = state_of_tables();
    for (int no_template = 0; no_template < 2; no_template++) {
        struct store_name_face *m = make_name(STORE_NAME_UNKNOWN_PERSON, 999, "Ghost");

        m->no_template = no_template;
        assert_int_equal(ask(m)->status, STORE_NOT_FOUND);
        assert_int_equal(last->id, 0);
        assert_true(state_of_tables() == before);
    }
    db_close(observer);
}

enum { NEIGHBOURS = 20 };

static void ask_refused_among_others(struct actor *self)
{
    for (int i = 0; i < NEIGHBOURS; i++) {
        char path[32];

        snprintf(path, sizeof path, "/neighbour/%d", i);
        if (i == NEIGHBOURS / 2)
            actor_ask(self, "store", &make_name(STORE_NAME_UNKNOWN_PERSON, 999, "Ghost")->m.head, 60000, on_answer,
                      NULL);
        actor_ask(self, "store", &submission(path)->m.head, 60000, on_answer, NULL);
    }
}

static void test_a_refusal_in_a_group_costs_its_neighbours_nothing(void **state)
{
    (void)state;
    answered_count = 0;
    memset(answers, 0, sizeof answers);
    ask_many = ask_refused_among_others;
    actor_system_tell(sys, "events", msg_new(MSG_MANY, sizeof(struct msg)));
    while (answered_count < NEIGHBOURS + 1)
        if (!actor_system_turn(sys) && answered_count < NEIGHBOURS + 1)
            wait_for_work();
    assert_int_equal(answers[STORE_OK], NEIGHBOURS);
    assert_int_equal(answers[STORE_NOT_FOUND], 1);
    expect_tally(NEIGHBOURS, 0, 0, 0, 0);
    assert_int_equal(ask(make_people())->person_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_error_at_any_statement_undoes_the_operation),
        TEST(test_a_failed_commit_is_no_success),
        TEST(test_a_text_that_is_not_utf8_is_stored_with_replacements),
        TEST(test_an_error_of_the_database_is_permanent_and_not_shown_to_clients),
        TEST(test_a_refused_operation_leaves_nothing_behind),
        TEST(test_a_refusal_in_a_group_costs_its_neighbours_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
