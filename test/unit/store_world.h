/* What the tests of the store share: the store with its real threads and a real database, a SQLite file or, under
 * test/mariadb.sh, a MariaDB. Included by one file a program; each uses some of the words. */
#ifndef KITH_TEST_UNIT_STORE_WORLD_H
#define KITH_TEST_UNIT_STORE_WORLD_H

#include "core/store/db/db.h"
#include "core/store/store.h"

#include "core/actor/system.h"
#include "test/unit/test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static int64_t recount_ms;          /* as the next one */
static int64_t database_timeout_ms; /* of the store that open_store opens; 0: the default */
static int64_t queue_limit = 1000;  /* as the one before */
static const struct doubt_limits doubt_limits = {.similarity = 0.6, .margin = 0.1, .quality = 0.3};
static const char *spool_folder; /* as the one before */
static struct actor_system *sys;
static struct store *store;
static char folder[64];
static int wake_fd, changes_told;
static struct store_reply *last; /* of the last ask, referenced */

static uint64_t real_now(void *context)
{
    struct timespec t;

    (void)context;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void wake(void *context)
{
    (void)context;
    assert_int_equal(eventfd_write(wake_fd, 1), 0);
}

static void on_reply(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self;
    assert_int_equal(status, ACTOR_OK);
    msg_unref(last ? &last->m.head : NULL);
    last = (struct store_reply *)msg_ref(reply);
    ++*(int *)context;
}

static struct msg *to_ask;
static int answered;

enum { MSG_MANY = 2 };
/* What a test asks of the store when the tester is told MSG_MANY. */
static void (*ask_many)(struct actor *self);

static void tester_receive(struct actor *self, const struct msg *m)
{
    if (m->type == STORE_CHANGED)
        changes_told++;
    else if (m->type == MSG_MANY)
        ask_many(self);
    else
        actor_ask(self, "store", to_ask, 60000, on_reply, &answered);
}

static const struct actor_ops tester = {.name = "tester", .receive = tester_receive};

__attribute__((unused)) static void wait_for_work(void)
{
    struct pollfd p = {.fd = wake_fd, .events = POLLIN};
    uint64_t due, now;
    eventfd_t n;

    due = actor_system_next_due_ms(sys);
    now = real_now(NULL) / 1000000;
    if (poll(&p, 1, due < now ? 0 : due - now < 60000 ? (int)(due - now) : 60000) > 0)
        eventfd_read(wake_fd, &n);
}

/* Asks and waits for the answer, which stays in `last`. */
static struct store_reply *ask(void *m)
{
    int before = answered;

    to_ask = m;
    actor_system_tell(sys, "events", msg_new(1, sizeof(struct msg)));
    for (;;) {
        bool more = actor_system_turn(sys);

        if (answered != before)
            break;
        if (!more)
            wait_for_work();
    }
    return last;
}

static const char *database(void)
{
    const char *url = getenv("KITH_TEST_DATABASE");

    return url ? url : "sqlite";
}

static void open_store(void)
{
    struct actor_system_options options = {.now_ns = real_now, .wake = wake};
    struct store_options so = {.folder = folder,
                               .database = database(),
                               .password = "kith",
                               .node = "test",
                               .spool = spool_folder,
                               .timeout_ms = database_timeout_ms,
                               .recount_ms = recount_ms,
                               .doubt = doubt_limits,
                               .queue_limit = queue_limit};
    struct error error = {0};

    wake_fd = eventfd(0, EFD_NONBLOCK);
    sys = actor_system_new(&options);
    actor_spawn(sys, &(struct actor_spec){.name = "events", .ops = &tester});
    store = store_open(&so, &error);
    if (!store)
        fail_msg("%s", error.text);
    store_attach(store, sys);
}

static void close_store(void)
{
    store_detach(store);
    msg_unref(last ? &last->m.head : NULL);
    last = NULL;
    actor_system_free(sys);
    store_close(store);
    close(wake_fd);
}

/* A server's database lives longer than a test: each begins with an empty one. */
static void empty_database(void)
{
    const char *sql = getenv("KITH_TEST_SQL");
    char command[512];

    if (!sql)
        return;
    snprintf(command, sizeof command, "%s -e 'DROP DATABASE kith; CREATE DATABASE kith'", sql);
    assert_int_equal(system(command), 0);
}

__attribute__((unused)) static int setup(void **state)
{
    (void)state;
    empty_database();
    strcpy(folder, "/tmp/kith-store-XXXXXX");
    assert_non_null(mkdtemp(folder));
    open_store();
    return 0;
}

static void empty_folder(const char *name)
{
    char command[128];

    snprintf(command, sizeof command, "rm -r %s", name);
    assert_int_equal(system(command), 0);
}

__attribute__((unused)) static int teardown(void **state)
{
    (void)state;
    close_store();
    empty_folder(folder);
    return 0;
}

/* --- a connection beside the store's --- */

static struct db *observer;

__attribute__((unused)) static void open_observer(void)
{
    struct db_address address = {.password = "kith", .timeout_s = 30};
    struct error error = {0};
    char file[96];

    snprintf(file, sizeof file, "%s/kith.db", folder);
    if (strcmp(database(), "sqlite") == 0) {
        observer = db_open_sqlite(file, DB_WRITER_BESIDE, &error);
    } else {
        assert_int_equal(db_address_parse(database(), &address, &error), 0);
        observer = db_open_mariadb(&address, &error);
    }
    if (!observer)
        fail_msg("%s", error.text);
}

__attribute__((unused)) static void close_observer(void)
{
    db_close(observer);
    observer = NULL;
}

/* Runs one statement that is a string literal. */
__attribute__((unused)) static void observer_run(const char *sql)
{
    if (db_run(observer, sql) < 0)
        fail_msg("%s: %s", sql, observer->driver->error(observer));
}

/* The first column of the first row; -1: no row. */
__attribute__((unused)) static int64_t observer_number(const char *sql)
{
    struct db_statement *s = db_query(observer, sql);
    int result = observer->driver->step(s);
    int64_t number = result == DB_ROW ? observer->driver->column_int(s, 0) : -1;

    observer->driver->reset(s);
    assert_true(result >= 0);
    return number;
}

/* --- requests --- */

__attribute__((unused)) static struct store_submit *submission(const char *path)
{
    struct store_submit *m = STORE_MESSAGE(STORE_SUBMIT, store_submit);
    const char **paths = arena_alloc(&m->m.arena, sizeof *paths);

    paths[0] = arena_text(&m->m.arena, path);
    m->paths = paths;
    m->count = 1;
    return m;
}

__attribute__((unused)) static int64_t submit(const char *path)
{
    assert_int_equal(ask(submission(path))->status, STORE_OK);
    return last->images[0].id;
}

__attribute__((unused)) static int claim(int max)
{
    struct store_claim *m = STORE_MESSAGE(STORE_CLAIM, store_claim);

    m->max = max;
    m->owner = "me";
    m->lease_ms = 30000;
    return ask(m)->image_count;
}

__attribute__((unused)) static struct store_reply *finish(int64_t id, int64_t attempt, enum outcome outcome,
                                                          bool crashed)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    m->id = id;
    m->attempt = attempt;
    m->outcome = outcome;
    m->reason = "because";
    m->crashed = crashed;
    m->max_tries = 5;
    m->max_crashes = 3;
    return ask(m);
}

/* As one whose file was missing. */
__attribute__((unused)) static struct store_reply *finish_gone(int64_t id, int64_t attempt)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    m->id = id;
    m->attempt = attempt;
    m->outcome = OUTCOME_FAILED;
    m->reason = "no such file";
    m->gone = true;
    return ask(m);
}

/* The end of a run with one face. */
__attribute__((unused)) static struct store_finish *finish_of_face(int64_t id, int64_t attempt, int64_t person,
                                                                   double distance)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);
    float *e = arena_alloc(&m->m.arena, 2 * sizeof *e);

    e[0] = 1;
    m->id = id;
    m->attempt = attempt;
    m->outcome = OUTCOME_FACES;
    m->faces = arena_alloc(&m->m.arena, sizeof *m->faces);
    m->face_count = 1;
    m->faces[0] = (struct face){.width = 10,
                                .height = 10,
                                .model = "m",
                                .embedding = e,
                                .dimension = 2,
                                .person = person,
                                .distance = distance,
                                .similarity = 0.9};
    return m;
}

__attribute__((unused)) static struct store_reply *finish_with_face(int64_t id, int64_t attempt, int64_t person,
                                                                    double distance)
{
    return ask(finish_of_face(id, attempt, person, distance));
}

/* By a recogniser without embeddings. */
__attribute__((unused)) static struct store_reply *finish_with_label(int64_t id, const char *label)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    m->id = id;
    m->attempt = 1;
    m->outcome = OUTCOME_FACES;
    m->faces = arena_alloc(&m->m.arena, sizeof *m->faces);
    m->face_count = 1;
    m->faces[0] = (struct face){.model = "remote",
                                .label = label,
                                .person = PERSON_UNKNOWN,
                                .similarity = 1,
                                .decision = {.rule = DECIDED_BY_LABEL, .threshold = 1}};
    return ask(m);
}

__attribute__((unused)) static struct image *image(int64_t id)
{
    struct store_id *m = STORE_MESSAGE(STORE_IMAGE, store_id);

    m->id = id;
    return ask(m)->images;
}

__attribute__((unused)) static int64_t person(const char *name)
{
    struct store_person *m = STORE_MESSAGE(STORE_PERSON_ADD, store_person);

    m->name = name;
    return ask(m)->id;
}

__attribute__((unused)) static void expect_status_counts(int pending, int processed, int failed, int processing,
                                                         int unknown)
{
    struct store_reply *r = ask(STORE_MESSAGE(STORE_STATUS_COUNTS, store_list));

    assert_int_equal(r->counts.by_status[IMAGE_PENDING], pending);
    assert_int_equal(r->counts.by_status[IMAGE_PROCESSED], processed);
    assert_int_equal(r->counts.by_status[IMAGE_FAILED], failed);
    assert_int_equal(r->counts.by_status[IMAGE_PROCESSING], processing);
    assert_int_equal(r->counts.unknown, unknown);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
