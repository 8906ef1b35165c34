/* The store with its real threads and a real database: what a run of an image may and may not change. The same tests
 * for a SQLite file and, under test/mariadb.sh, for a MariaDB. */
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

/* Many requests at once, of which the middle one breaks a constraint of the schema. */
enum { CROWD = 200, MSG_CROWD = 2 };
static int crowd_of_status[STORE_MISMATCH + 1], crowd_answered;

static void on_crowd_reply(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context;
    assert_int_equal(status, ACTOR_OK);
    crowd_of_status[((const struct store_reply *)reply)->status]++;
    crowd_answered++;
}

static struct store_submit *submission(const char *path);

static void ask_crowd(struct actor *self)
{
    for (int i = 0; i < CROWD; i++) {
        char path[32];

        snprintf(path, sizeof path, "/crowd/%d", i);
        actor_ask(self, "store",
                  i == CROWD / 2 ? STORE_MESSAGE(STORE_QUARANTINE, store_text) : (void *)submission(path), 60000,
                  on_crowd_reply, NULL);
    }
}

static void tester_receive(struct actor *self, const struct msg *m)
{
    if (m->type == STORE_CHANGED)
        changes_told++;
    else if (m->type == MSG_CROWD)
        ask_crowd(self);
    else
        actor_ask(self, "store", to_ask, 60000, on_reply, &answered);
}

static const struct actor_ops tester = {.name = "tester", .receive = tester_receive};

static void wait_for_work(void)
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
    struct store_options so = {
        .folder = folder, .database = database(), .password = "kith", .node = "test", .queue_limit = 1000};
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

static int setup(void **state)
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

static int teardown(void **state)
{
    (void)state;
    close_store();
    empty_folder(folder);
    return 0;
}

/* --- the words of the tests --- */

static struct store_submit *submission(const char *path)
{
    struct store_submit *m = STORE_MESSAGE(STORE_SUBMIT, store_submit);
    const char **paths = arena_alloc(&m->m.arena, sizeof *paths);

    paths[0] = arena_text(&m->m.arena, path);
    m->paths = paths;
    m->count = 1;
    return m;
}

static int64_t submit(const char *path)
{
    assert_int_equal(ask(submission(path))->status, STORE_OK);
    return last->images[0].id;
}

static int claim(int max)
{
    struct store_claim *m = STORE_MESSAGE(STORE_CLAIM, store_claim);

    m->max = max;
    m->owner = "me";
    m->lease_ms = 30000;
    return ask(m)->image_count;
}

static struct store_reply *finish(int64_t id, int64_t attempt, enum outcome outcome, bool crashed)
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

static struct store_reply *finish_with_face(int64_t id, int64_t attempt, int64_t person, double distance)
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
    return ask(m);
}

static struct image *image(int64_t id)
{
    struct store_id *m = STORE_MESSAGE(STORE_IMAGE, store_id);

    m->id = id;
    return ask(m)->images;
}

static int64_t person(const char *name)
{
    struct store_person *m = STORE_MESSAGE(STORE_PERSON_ADD, store_person);

    m->name = name;
    return ask(m)->id;
}

static void expect_tally(int pending, int processed, int failed, int processing, int unknown)
{
    struct store_reply *r = ask(STORE_MESSAGE(STORE_TALLY, store_list));

    assert_int_equal(r->tally[IMAGE_PENDING], pending);
    assert_int_equal(r->tally[IMAGE_PROCESSED], processed);
    assert_int_equal(r->tally[IMAGE_FAILED], failed);
    assert_int_equal(r->tally[IMAGE_PROCESSING], processing);
    assert_int_equal(r->unknown, unknown);
}

/* --- what is expected --- */

static void test_a_path_is_one_row(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    assert_int_equal(submit("/a"), id);
    assert_true(last->images[0].existing);
    assert_true(submit("/b") > id);
    expect_tally(2, 0, 0, 0, 0);
}

static void test_a_claim_is_exclusive_and_raises_the_fencing_token(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    assert_int_equal(claim(10), 1);
    assert_int_equal(last->images[0].attempt, 1);
    assert_int_equal(last->images[0].id, id);
    assert_int_equal(claim(10), 0);
    expect_tally(0, 0, 0, 1, 0);
}

static void test_an_old_token_changes_nothing(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    claim(1);
    assert_int_equal(finish(id, 1, OUTCOME_RETRY, false)->changed, 1);
    assert_int_equal(claim(1), 1);
    assert_int_equal(last->images[0].attempt, 2);
    assert_int_equal(finish_with_face(id, 1, PERSON_UNKNOWN, 0)->changed, 0);
    assert_int_equal(image(id)->status, IMAGE_PROCESSING);
    assert_int_equal(image(id)->face_count, 0);
    assert_int_equal(finish_with_face(id, 2, PERSON_UNKNOWN, 0)->changed, 1);
    assert_int_equal(finish(id, 2, OUTCOME_FAILED, false)->changed, 0); /* finished once */
    assert_int_equal(image(id)->verdict, VERDICT_UNKNOWN);
    expect_tally(1, 0, 0, 0, 1);
}

static void test_a_known_person_is_processed_an_unknown_one_waits_and_is_not_requeued(void **state)
{
    int64_t who = person("Ann"), known = submit("/a"), unknown = submit("/b");

    (void)state;
    claim(2);
    finish_with_face(known, 1, who, 0.3);
    finish_with_face(unknown, 1, PERSON_UNKNOWN, 0);
    assert_int_equal(image(known)->status, IMAGE_PROCESSED);
    assert_int_equal(image(known)->person, who);
    assert_string_equal(last->images[0].person_name, "Ann");
    assert_int_equal(image(unknown)->status, IMAGE_PENDING);
    assert_int_equal(last->images[0].person, PERSON_UNKNOWN);
    assert_int_equal(claim(10), 0);
    expect_tally(1, 1, 0, 0, 1);
}

static void test_naming_a_face_resolves_its_image_and_makes_a_template(void **state)
{
    int64_t id = submit("/a"), face;
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_FACE, store_name_face);

    (void)state;
    claim(1);
    finish_with_face(id, 1, PERSON_UNKNOWN, 0);
    face = image(id)->faces[0].id;
    m->face = face;
    m->person_name = "Bo";
    assert_int_equal(ask(m)->images[0].status, IMAGE_PROCESSED);
    assert_string_equal(last->images[0].person_name, "Bo");
    expect_tally(0, 1, 0, 0, 0);
    struct store_list *list = STORE_MESSAGE(STORE_GALLERY_CHANGES, store_list);
    list->limit = 10;
    assert_int_equal(ask(list)->change_count, 2);
    assert_int_equal(last->changes[0].kind, GALLERY_PERSON_NAMED);
    assert_string_equal(last->changes[0].name, "Bo");
    assert_int_equal(last->changes[1].kind, GALLERY_TEMPLATE_ADDED);
    assert_true(last->changes[1].template.embedding[0] > 0.99f);
}

static void test_resolving_leaves_a_named_face_alone(void **state)
{
    int64_t id = submit("/a"), ann = person("Ann"), bo = person("Bo");
    struct resolved list[1];
    struct store_resolve *m;

    (void)state;
    claim(1);
    finish_with_face(id, 1, ann, 0.1);
    list[0] = (struct resolved){.face = image(id)->faces[0].id, .image = id, .person = bo, .distance = 0.2};
    m = STORE_MESSAGE(STORE_RESOLVE, store_resolve);
    m->faces = list;
    m->count = 1;
    assert_int_equal(ask(m)->changed, 0);
    assert_int_equal(image(id)->person, ann);
}

static void test_crashes_poison_at_the_third(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    for (int attempt = 1; attempt <= 3; attempt++) {
        assert_int_equal(claim(1), 1);
        finish(id, attempt, OUTCOME_RETRY, true);
    }
    assert_int_equal(image(id)->status, IMAGE_FAILED);
    assert_string_equal(last->images[0].reason, "poison");
}

static void test_tries_run_out_at_the_fifth_and_a_release_costs_none(void **state)
{
    int64_t id = submit("/a"), attempt = 0;

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(claim(1), 1);
        finish(id, ++attempt, OUTCOME_RELEASE, false);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(image(id)->status, IMAGE_PENDING);
        assert_int_equal(claim(1), 1);
        finish(id, ++attempt, OUTCOME_RETRY, false);
    }
    assert_int_equal(image(id)->status, IMAGE_FAILED);
    assert_string_equal(last->images[0].reason, "because");
}

static void test_a_dead_process_leases_are_taken_back(void **state)
{
    int64_t id = submit("/a");
    struct store_reap *m;

    (void)state;
    claim(1);
    m = STORE_MESSAGE(STORE_REAP, store_reap);
    m->not_owner = "me"; /* its own stay */
    m->max_tries = 5;
    assert_int_equal(ask(m)->changed, 0);
    m = STORE_MESSAGE(STORE_REAP, store_reap);
    m->not_owner = "the next one";
    m->max_tries = 5;
    assert_int_equal(ask(m)->changed, 1);
    assert_int_equal(image(id)->status, IMAGE_PENDING);
    assert_int_equal(finish(id, 1, OUTCOME_FAILED, false)->changed, 0);
    expect_tally(1, 0, 0, 0, 0);
}

static void test_retry_starts_over_but_keeps_the_token_growing(void **state)
{
    int64_t id = submit("/a");
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);

    (void)state;
    claim(1);
    finish(id, 1, OUTCOME_FAILED, false);
    expect_tally(0, 0, 1, 0, 0);
    assert_int_equal(ask(m)->changed, 1); /* all failed ones */
    assert_int_equal(claim(1), 1);
    assert_int_equal(last->images[0].attempt, 2);
    assert_int_equal(last->images[0].tries, 1);
    m = STORE_MESSAGE(STORE_RETRY, store_retry);
    m->id = id;
    assert_int_equal(ask(m)->status, STORE_CONFLICT);
    m = STORE_MESSAGE(STORE_RETRY, store_retry);
    m->id = 99;
    assert_int_equal(ask(m)->status, STORE_NOT_FOUND);
}

static void test_a_deleted_image_cannot_be_finished(void **state)
{
    int64_t id = submit("/a");
    struct store_id *m = STORE_MESSAGE(STORE_DELETE, store_id);

    (void)state;
    claim(1);
    m->id = id;
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_int_equal(finish_with_face(id, 1, PERSON_UNKNOWN, 0)->changed, 0);
    expect_tally(0, 0, 0, 0, 0);
}

static void test_forgetting_a_person_unnames_the_images(void **state)
{
    int64_t ann = person("Ann"), id = submit("/a");
    struct store_id *m = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);

    (void)state;
    claim(1);
    finish_with_face(id, 1, ann, 0.1);
    m->id = ann;
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_false(last->more);
    assert_int_equal(image(id)->person, PERSON_UNKNOWN);
    assert_int_equal(last->images[0].verdict, VERDICT_UNKNOWN);
    expect_tally(1, 0, 0, 0, 1);
}

static void test_one_that_fails_costs_its_neighbours_nothing(void **state)
{
    (void)state;
    crowd_answered = 0;
    memset(crowd_of_status, 0, sizeof crowd_of_status);
    actor_system_tell(sys, "events", msg_new(MSG_CROWD, sizeof(struct msg)));
    while (crowd_answered < CROWD)
        if (!actor_system_turn(sys) && crowd_answered < CROWD)
            wait_for_work();
    assert_int_equal(crowd_of_status[STORE_OK], CROWD - 1);
    assert_int_equal(crowd_of_status[STORE_BROKEN], 1);
    expect_tally(CROWD - 1, 0, 0, 0, 0);
}

static void test_the_queue_has_a_limit(void **state)
{
    struct store_submit *m = STORE_MESSAGE(STORE_SUBMIT, store_submit);
    const char **paths = arena_alloc(&m->m.arena, 1001 * sizeof *paths);

    (void)state;
    for (int i = 0; i < 1001; i++) {
        char path[32];

        snprintf(path, sizeof path, "/%d", i);
        paths[i] = arena_text(&m->m.arena, path);
    }
    m->paths = paths;
    m->count = 1001;
    assert_int_equal(ask(m)->status, STORE_NO_SPACE);
    assert_non_null(strstr(last->error, "KITH_QUEUE_LIMIT"));
    expect_tally(0, 0, 0, 0, 0);
}

static void test_events_are_numbered_and_pruned(void **state)
{
    struct store_list *m;
    struct store_prune *p;

    (void)state;
    for (int i = 0; i < 20; i++) {
        char path[16];

        snprintf(path, sizeof path, "/%d", i);
        submit(path);
    }
    m = STORE_MESSAGE(STORE_EVENTS, store_list);
    m->after = 5;
    m->limit = 4;
    assert_int_equal(ask(m)->event_count, 4);
    assert_int_equal(last->events[0].id, 6);
    assert_int_equal(last->next, 9);
    assert_true(last->more);
    p = STORE_MESSAGE(STORE_PRUNE, store_prune);
    p->events_keep = 8;
    ask(p);
    m = STORE_MESSAGE(STORE_EVENTS, store_list);
    m->limit = 100;
    assert_int_equal(ask(m)->first_event, 13);
    assert_int_equal(last->last_event, 20);
    assert_true(changes_told > 0);
}

static void test_everything_is_there_after_a_restart(void **state)
{
    int64_t id = submit("/a");

    (void)state;
    claim(1);
    finish_with_face(id, 1, person("Ann"), 0.25);
    close_store();
    open_store();
    assert_string_equal(image(id)->path, "/a");
    assert_string_equal(last->images[0].person_name, "Ann");
    assert_true(last->images[0].faces[0].distance > 0.24 && last->images[0].faces[0].distance < 0.26);
    expect_tally(0, 1, 0, 0, 0);
}

static void test_a_second_process_is_refused(void **state)
{
    struct store_options so = {.folder = folder, .database = database(), .queue_limit = 1000};
    struct error error = {0};

    (void)state;
    assert_null(store_open(&so, &error));
    assert_non_null(strstr(error.text, "another kith"));
}

static void test_an_address_that_cannot_be_is_refused_in_words(void **state)
{
    static const char *const wrong[] = {"mysql://x@y/z",     "mariadb://y/z",          "mariadb://x@y",
                                        "mariadb://x@y:0/z", "mariadb://x:secret@y/z", "oracle"};
    char other[] = "/tmp/kith-store-XXXXXX";

    (void)state;
    assert_non_null(mkdtemp(other));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct store_options so = {.folder = other, .database = wrong[i], .queue_limit = 1000};
        struct error error = {0};

        assert_null(store_open(&so, &error));
        assert_non_null(strstr(error.text, "KITH_DATABASE"));
        assert_null(strstr(error.text, "secret"));
    }
    empty_folder(other);
}

static void test_many_at_once_with_the_same_among_them(void **state)
{
    struct store_submit *m = STORE_MESSAGE(STORE_SUBMIT, store_submit);
    const char **paths = arena_alloc(&m->m.arena, 200 * sizeof *paths);
    int existing = 0;

    (void)state;
    submit("/7");
    for (int i = 0; i < 200; i++)
        paths[i] = arena_printf(&m->m.arena, "/%d", i % 150);
    m->paths = paths;
    m->count = 200;
    assert_int_equal(ask(m)->image_count, 200);
    for (int i = 0; i < 200; i++) {
        assert_true(last->images[i].id > 0);
        assert_int_equal(last->images[i].id, last->images[i % 150].id);
        existing += last->images[i].existing;
    }
    assert_int_equal(existing, 51);
    expect_tally(150, 0, 0, 0, 0);
}

static void test_a_claim_of_named_images_takes_only_those_that_are_due(void **state)
{
    int64_t ids[3] = {submit("/a"), submit("/b"), 99};
    struct store_claim *m = STORE_MESSAGE(STORE_CLAIM, store_claim);

    (void)state;
    submit("/c");
    m->ids = ids;
    m->id_count = 3;
    m->max = 10;
    m->owner = "me";
    m->lease_ms = 30000;
    assert_int_equal(ask(m)->image_count, 2);
    assert_int_equal(last->images[0].attempt, 1);
    assert_int_equal(claim(10), 1);
}

static void test_the_gallery_log_tells_every_change_in_order(void **state)
{
    int64_t ann = person("Ann"), bo = person("Bo");
    struct store_person *rename = STORE_MESSAGE(STORE_PERSON_RENAME, store_person);
    struct store_id *delete = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);
    struct store_list *list = STORE_MESSAGE(STORE_GALLERY_CHANGES, store_list);

    (void)state;
    rename->id = ann;
    rename->name = "Anna";
    assert_int_equal(ask(rename)->status, STORE_OK);
    delete->id = bo;
    assert_int_equal(ask(delete)->status, STORE_OK);
    list->limit = 10;
    assert_int_equal(ask(list)->change_count, 3);
    assert_string_equal(last->changes[0].name, "Anna"); /* as it is now */
    assert_int_equal(last->changes[1].person, ann);
    assert_int_equal(last->changes[2].kind, GALLERY_PERSON_REMOVED);
    assert_int_equal(last->changes[2].person, bo);
    assert_null(last->changes[2].name);
    assert_int_equal(last->next, 4);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_path_is_one_row),
        TEST(test_a_claim_is_exclusive_and_raises_the_fencing_token),
        TEST(test_an_old_token_changes_nothing),
        TEST(test_a_known_person_is_processed_an_unknown_one_waits_and_is_not_requeued),
        TEST(test_naming_a_face_resolves_its_image_and_makes_a_template),
        TEST(test_resolving_leaves_a_named_face_alone),
        TEST(test_crashes_poison_at_the_third),
        TEST(test_tries_run_out_at_the_fifth_and_a_release_costs_none),
        TEST(test_a_dead_process_leases_are_taken_back),
        TEST(test_retry_starts_over_but_keeps_the_token_growing),
        TEST(test_a_deleted_image_cannot_be_finished),
        TEST(test_forgetting_a_person_unnames_the_images),
        TEST(test_one_that_fails_costs_its_neighbours_nothing),
        TEST(test_the_queue_has_a_limit),
        TEST(test_events_are_numbered_and_pruned),
        TEST(test_everything_is_there_after_a_restart),
        TEST(test_a_second_process_is_refused),
        TEST(test_an_address_that_cannot_be_is_refused_in_words),
        TEST(test_many_at_once_with_the_same_among_them),
        TEST(test_a_claim_of_named_images_takes_only_those_that_are_due),
        TEST(test_the_gallery_log_tells_every_change_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
