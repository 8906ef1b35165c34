/* Events, limits, pages, restarts, a second process: the records beside runs and people. */
#include "test/unit/store_world.h"

/* Many requests at once, of which the middle one breaks a constraint of the schema. */
enum { CROWD = 200 };
static int crowd_of_status[STORE_MISMATCH + 1], crowd_answered;

static void on_crowd_reply(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context;
    assert_int_equal(status, ACTOR_OK);
    crowd_of_status[((const struct store_reply *)reply)->status]++;
    crowd_answered++;
}

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

static void test_one_that_fails_costs_its_neighbours_nothing(void **state)
{
    (void)state;
    crowd_answered = 0;
    memset(crowd_of_status, 0, sizeof crowd_of_status);
    ask_many = ask_crowd;
    actor_system_tell(sys, "events", msg_new(MSG_MANY, sizeof(struct msg)));
    while (crowd_answered < CROWD)
        if (!actor_system_turn(sys) && crowd_answered < CROWD)
            wait_for_work();
    assert_int_equal(crowd_of_status[STORE_OK], CROWD - 1);
    assert_int_equal(crowd_of_status[STORE_BROKEN], 1);
    expect_status_counts(CROWD - 1, 0, 0, 0, 0);
}

/* The refused operation creates the person before it finds out that there is no such unknown person. */
static struct msg *name_nobody(const char *name)
{
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_UNKNOWN_PERSON, store_name_face);

    m->face = 999;
    m->person_name = name;
    return &m->m.head;
}

static int people_count(void)
{
    struct store_list *list = STORE_MESSAGE(STORE_PEOPLE, store_list);

    list->limit = 100;
    return ask(list)->person_count;
}

static void ask_crowd_with_a_refusal(struct actor *self)
{
    for (int i = 0; i < CROWD; i++) {
        char path[32];

        snprintf(path, sizeof path, "/refused/%d", i);
        actor_ask(self, "store", i == CROWD / 2 ? name_nobody("Ghost") : (void *)submission(path), 60000,
                  on_crowd_reply, NULL);
    }
}

static void test_a_refused_operation_leaves_nothing_behind(void **state)
{
    struct store_name_face *m;

    (void)state;
    m = (struct store_name_face *)name_nobody("Ghost");
    assert_int_equal(ask(m)->status, STORE_NOT_FOUND);
    assert_int_equal(people_count(), 0);
    m = (struct store_name_face *)name_nobody("Ghost");
    m->no_template = true;
    assert_int_equal(ask(m)->status, STORE_NOT_FOUND);
    assert_int_equal(people_count(), 0);
    crowd_answered = 0;
    memset(crowd_of_status, 0, sizeof crowd_of_status);
    ask_many = ask_crowd_with_a_refusal;
    actor_system_tell(sys, "events", msg_new(MSG_MANY, sizeof(struct msg)));
    while (crowd_answered < CROWD)
        if (!actor_system_turn(sys) && crowd_answered < CROWD)
            wait_for_work();
    assert_int_equal(crowd_of_status[STORE_OK], CROWD - 1);
    assert_int_equal(crowd_of_status[STORE_NOT_FOUND], 1);
    assert_int_equal(people_count(), 0);
    expect_status_counts(CROWD - 1, 0, 0, 0, 0);
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
    expect_status_counts(0, 0, 0, 0, 0);
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

static struct store_reply *read_events(int64_t after, int64_t mark)
{
    struct store_list *m = STORE_MESSAGE(STORE_EVENTS, store_list);

    m->after = after;
    m->mark = mark;
    m->limit = 100;
    assert_int_equal(ask(m)->status, STORE_OK);
    return last;
}

/* What a restored older database does: events go, and their numbers are given to others later. */
static void test_an_event_whose_number_was_given_out_again_resets_its_reader(void **state)
{
    int64_t mark_2, mark_3;

    (void)state;
    submit("/1");
    submit("/2");
    mark_2 = read_events(0, 0)->mark;
    submit("/3");
    mark_3 = read_events(2, mark_2)->mark;
    assert_int_equal(last->event_count, 1);
    assert_false(last->rewound);
    open_observer();
    observer_run("UPDATE events SET at = at - 5000 WHERE id = 2");
    assert_false(read_events(3, mark_3)->rewound); /* only the last event counts */
    observer_run("UPDATE events SET at = at + 5000 WHERE id = 3");
    assert_true(read_events(3, mark_3)->rewound);
    assert_int_equal(last->next, 3);
    assert_int_equal(last->event_count, 0);
    assert_int_equal(last->mark, mark_3 + 5000);
    assert_false(read_events(3, mark_3 + 5000)->rewound);
    assert_false(read_events(3, 0)->rewound); /* a plain number */
    assert_true(read_events(4, 0)->rewound);
    observer_run("DELETE FROM events WHERE id = 3");
    assert_true(read_events(3, mark_3)->rewound);
    assert_int_equal(last->next, 2);
    assert_int_equal(read_events(INT64_MAX, 0)->next, 2);
    assert_int_equal(last->mark, mark_2 - 5000);
    close_observer();
}

static struct store_reply *register_node(const char *node, int64_t boot)
{
    struct store_node *m = STORE_MESSAGE(STORE_REGISTER_NODE, store_node);

    m->node = node;
    m->boot = boot;
    assert_int_equal(ask(m)->status, STORE_OK);
    return last;
}

static void test_each_node_has_a_row_with_its_run(void **state)
{
    struct store_prune *p = STORE_MESSAGE(STORE_PRUNE, store_prune);

    (void)state;
    assert_int_equal(register_node("a", 1)->node_count, 1);
    register_node("b", 2);
    assert_int_equal(register_node("a", 3)->node_count, 2); /* it was started again */
    for (int i = 0; i < 2; i++)
        assert_int_equal(last->nodes[i].boot, strcmp(last->nodes[i].node, "a") == 0 ? 3 : 2);
    open_observer();
    observer_run("UPDATE nodes SET seen_at = seen_at - 90000000 WHERE node = 'b'");
    close_observer();
    ask(p);
    assert_int_equal(register_node("a", 3)->node_count, 1);
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
    expect_status_counts(0, 1, 0, 0, 0);
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

static void test_a_full_last_page_has_no_next(void **state)
{
    (void)state;
    submit("/a");
    submit("/b");
    person("Ann");
    person("Bo");
    for (int limit = 1; limit <= 2; limit++) {
        struct store_list *images = STORE_MESSAGE(STORE_IMAGES, store_list);
        struct store_list *people = STORE_MESSAGE(STORE_PEOPLE, store_list);

        images->status = images->verdict = -1;
        images->limit = people->limit = limit;
        assert_int_equal(ask(images)->image_count, limit);
        assert_int_equal(last->next != 0, limit == 1);
        assert_int_equal(ask(people)->person_count, limit);
        assert_int_equal(last->next != 0, limit == 1);
    }
}

static void quarantine(const char *hash, int64_t for_ms)
{
    struct store_text *m = STORE_MESSAGE(STORE_QUARANTINE, store_text);

    m->text = hash;
    m->for_ms = for_ms;
    assert_int_equal(ask(m)->status, STORE_OK);
}

static struct store_reply *quarantined(int limit)
{
    struct store_list *m = STORE_MESSAGE(STORE_QUARANTINED, store_list);

    m->limit = limit;
    return ask(m);
}

static void test_a_quarantine_ends(void **state)
{
    (void)state;
    quarantine("abc", 60000);
    assert_int_equal(quarantined(10)->text_count, 1);
    quarantine("abc", -1000);
    assert_int_equal(quarantined(10)->text_count, 0);
}

static void test_a_quarantine_that_is_cut_keeps_the_newest_and_says_so(void **state)
{
    (void)state;
    quarantine("new", 60000);
    quarantine("old", 30000);
    quarantine("newest", 90000);
    assert_int_equal(quarantined(3)->text_count, 3);
    assert_false(last->more);
    assert_int_equal(quarantined(2)->text_count, 2);
    assert_true(last->more);
    assert_string_equal(last->texts[0], "newest");
    assert_string_equal(last->texts[1], "new");
}

/* --- how much a run's end asks of the database --- */

static struct store_finish *run_with_faces(int64_t id, int count, int64_t person)
{
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    m->id = id;
    m->attempt = 1;
    m->outcome = OUTCOME_FACES;
    m->sha256 = "content";
    m->faces = arena_alloc(&m->m.arena, (size_t)count * sizeof *m->faces);
    m->face_count = count;
    for (int i = 0; i < count; i++)
        m->faces[i] = (struct face){.x = (float)(20 * i),
                                    .width = 90,
                                    .height = 90,
                                    .model = "m",
                                    .person = person,
                                    .similarity = 0.9,
                                    .quality = 1}; /* a name in no doubt */
    return m;
}

/* Steps of the statements of a finish, and of what follows it in the transaction: the first step that does not come. */
static int steps_of_finish(const char *path, int faces, int64_t person)
{
    int64_t id = submit(path);

    assert_int_equal(claim(1), 1);
    for (int step = 1;; step++) {
        atomic_store(&db_fault.hits, 0);
        atomic_store(&db_fault.step, step);
        ask(run_with_faces(id, faces, person));
        atomic_store(&db_fault.step, 0);
        if (atomic_load(&db_fault.hits) == 0) {
            assert_int_equal(last->changed, 1);
            return step - 1;
        }
    }
}

static void test_a_finish_asks_about_all_faces_at_once(void **state)
{
    int64_t ann = person("Ann");
    int none = steps_of_finish("/none", 1, PERSON_UNKNOWN);

    (void)state;
    /* The image, its UPDATE, the event, the face; the counts, COMMIT. */
    assert_int_equal(none, 6);
    /* The person is one row of one statement more, of however many faces. */
    assert_int_equal(steps_of_finish("/one", 1, ann), none + 2);
    assert_int_equal(steps_of_finish("/eight", 8, ann), none + 2 + 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_that_fails_costs_its_neighbours_nothing),
        TEST(test_a_refused_operation_leaves_nothing_behind),
        TEST(test_the_queue_has_a_limit),
        TEST(test_events_are_numbered_and_pruned),
        TEST(test_each_node_has_a_row_with_its_run),
        TEST(test_an_event_whose_number_was_given_out_again_resets_its_reader),
        TEST(test_everything_is_there_after_a_restart),
        TEST(test_a_second_process_is_refused),
        TEST(test_an_address_that_cannot_be_is_refused_in_words),
        TEST(test_a_full_last_page_has_no_next),
        TEST(test_a_quarantine_ends),
        TEST(test_a_quarantine_that_is_cut_keeps_the_newest_and_says_so),
        TEST(test_a_finish_asks_about_all_faces_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
