/* Order with several writers: the requests of one sender, and the events of transactions that commit late. MariaDB
 * only; with SQLite one thread does all writes, and the tests hold without waiting. */
#include "test/unit/store_world.h"

#include <time.h>

static int setup_order(void **state)
{
    setup(state);
    open_observer();
    return 0;
}

static int teardown_order(void **state)
{
    close_observer();
    return teardown(state);
}

static bool one_writer(void)
{
    return strcmp(database(), "sqlite") == 0;
}

/* --- requests of one sender --- */

enum { RENAME_ANN = 1, RENAME_BO, SUBMIT_OTHER };
static int ended[8], ended_count;
static int64_t ann, bo;

static void on_ended(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self;
    assert_int_equal(status, ACTOR_OK);
    assert_int_equal(((const struct store_reply *)reply)->status, STORE_OK);
    ended[ended_count++] = *(const int *)context;
}

static void ask_rename(struct actor *self, int64_t id, const char *name, const int *number)
{
    struct store_person *m = STORE_MESSAGE(STORE_PERSON_RENAME, store_person);

    m->id = id;
    m->name = name;
    actor_ask(self, "store", &m->m.head, 60000, on_ended, (void *)(uintptr_t)number);
}

static void ask_first(struct actor *self)
{
    static const int number = RENAME_ANN;

    ask_rename(self, ann, "Anna", &number);
}

static void ask_second(struct actor *self)
{
    static const int number = RENAME_BO;

    ask_rename(self, bo, "Bob", &number);
}

static void other_receive(struct actor *self, const struct msg *m)
{
    static const int number = SUBMIT_OTHER;

    (void)m;
    actor_ask(self, "store", &submission("/other")->m.head, 60000, on_ended, (void *)(uintptr_t)&number);
}

static const struct actor_ops other = {.name = "other", .receive = other_receive};

static void tell_tester(void (*what)(struct actor *self))
{
    ask_many = what;
    actor_system_tell(sys, "events", msg_new(MSG_MANY, sizeof(struct msg)));
    while (actor_system_turn(sys))
        ;
}

/* Until a transaction waits for a row lock. */
static void until_one_waits(void)
{
    time_t deadline = time(NULL) + 20;

    while (observer_number("SELECT CAST(variable_value AS SIGNED) FROM information_schema.global_status WHERE "
                           "variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS'") == 0) {
        if (time(NULL) > deadline)
            fail_msg("no transaction waits for a lock");
        actor_system_turn(sys);
    }
}

static void until_ended(int count)
{
    while (ended_count < count)
        if (!actor_system_turn(sys) && ended_count < count)
            wait_for_work();
}

/* The first request waits for a lock, and the other writer is free: it may work for other senders only. */
static void test_a_later_request_of_the_same_sender_does_not_commit_first(void **state)
{
    (void)state;
    if (one_writer())
        skip();
    ended_count = 0;
    ann = person("Ann");
    bo = person("Bo");
    actor_spawn(sys, &(struct actor_spec){.name = "other", .ops = &other});
    observer_run("START TRANSACTION");
    observer_run("UPDATE person SET name = name WHERE name = 'Ann'");
    tell_tester(ask_first);
    until_one_waits();
    tell_tester(ask_second);
    actor_system_tell(sys, "other", msg_new(1, sizeof(struct msg)));
    until_ended(1);
    assert_int_equal(ended[0], SUBMIT_OTHER);
    observer_run("ROLLBACK");
    until_ended(3);
    assert_int_equal(ended[1], RENAME_ANN);
    assert_int_equal(ended[2], RENAME_BO);
}

enum { CROWD = 3000 };
static int64_t crowd_ids[CROWD];
static int crowd_count;

static void on_crowd(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context;
    assert_int_equal(status, ACTOR_OK);
    crowd_ids[crowd_count++] = ((const struct store_reply *)reply)->id;
}

static void ask_crowd(struct actor *self)
{
    for (int i = 0; i < CROWD; i++) {
        struct store_person *m = STORE_MESSAGE(STORE_PERSON_ADD, store_person);

        m->name = arena_printf(&m->m.arena, "person %d", i);
        actor_ask(self, "store", &m->m.head, 60000, on_crowd, NULL);
    }
}

static void test_many_requests_of_one_sender_take_effect_in_their_order(void **state)
{
    (void)state;
    crowd_count = 0;
    tell_tester(ask_crowd);
    while (crowd_count < CROWD)
        if (!actor_system_turn(sys) && crowd_count < CROWD)
            wait_for_work();
    for (int i = 1; i < CROWD; i++)
        assert_true(crowd_ids[i] > crowd_ids[i - 1]);
}

/* --- a run that ends while its template or its person is deleted --- */

static int64_t run_image;

static void ask_finish(struct actor *self)
{
    static const int number = SUBMIT_OTHER;
    struct store_finish *m = STORE_MESSAGE(STORE_FINISH, store_finish);

    m->id = run_image;
    m->attempt = 1;
    m->outcome = OUTCOME_FACES;
    m->faces = arena_alloc(&m->m.arena, sizeof *m->faces);
    m->face_count = 1;
    m->faces[0] =
        (struct face){.width = 10, .height = 10, .model = "m", .person = ann, .template = 1, .similarity = 0.9};
    actor_ask(self, "store", &m->m.head, 60000, on_ended, (void *)(uintptr_t)&number);
}

/* Another node runs the statement in a transaction that commits after the run has begun to end. */
static void end_run_while(const char *sql)
{
    ended_count = 0;
    ann = person("Ann");
    run_image = submit("/a");
    assert_int_equal(claim(1), 1);
    observer_run("INSERT INTO templates(id, person_id, photo_id, model, embedding) VALUES(1, 1, 1, 'm', 'x')");
    observer_run("START TRANSACTION");
    observer_run(sql);
    tell_tester(ask_finish);
    until_one_waits();
    observer_run("COMMIT");
    until_ended(1);
}

static void test_a_face_whose_template_is_being_deleted_is_decided_again(void **state)
{
    (void)state;
    if (one_writer())
        skip();
    end_run_while("DELETE FROM templates WHERE id = 1");
    assert_int_equal(observer_number("SELECT person FROM faces"), ann);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM decide_again WHERE kind = 2"), 1);
}

static void test_a_face_whose_person_is_being_deleted_gets_no_name(void **state)
{
    (void)state;
    if (one_writer())
        skip();
    end_run_while("DELETE FROM person WHERE id = 1");
    assert_int_equal(observer_number("SELECT person FROM faces"), PERSON_UNKNOWN);
    assert_int_equal(image(run_image)->verdict, VERDICT_UNKNOWN);
}

/* The other way round: the deletion comes while the run's end is not committed. */
static void test_a_deletion_finds_the_face_of_a_run_that_ends_meanwhile(void **state)
{
    struct store_id *m;
    int before;

    (void)state;
    if (one_writer())
        skip();
    ann = person("Ann");
    run_image = submit("/a");
    before = answered;
    observer_run("START TRANSACTION");
    observer_run("SELECT id FROM person WHERE id = 1 LOCK IN SHARE MODE");
    observer_run("INSERT INTO faces(image_id, x, y, width, height, quality, model, person) VALUES(1, 0, 0, 1, 1, 1, "
                 "'m', 1)");
    m = STORE_MESSAGE(STORE_PERSON_DELETE, store_id);
    m->id = ann;
    to_ask = &m->m.head;
    actor_system_tell(sys, "events", msg_new(1, sizeof(struct msg)));
    until_one_waits();
    observer_run("COMMIT");
    while (answered == before)
        if (!actor_system_turn(sys) && answered == before)
            wait_for_work();
    assert_int_equal(last->status, STORE_OK);
    assert_int_equal(observer_number("SELECT person FROM faces"), PERSON_UNKNOWN);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM person"), 0);
}

/* --- events of a transaction that commits late --- */

static struct store_reply *read_events(int64_t after)
{
    struct store_list *m = STORE_MESSAGE(STORE_EVENTS, store_list);

    m->after = after;
    m->limit = 100;
    assert_int_equal(ask(m)->status, STORE_OK);
    return last;
}

/* Event 2 belongs to an open transaction; event 3 is committed, and so old that its writer must have ended. */
static void begin_slow_transaction(void)
{
    struct db *slow = observer;

    submit("/a");
    open_observer();
    db_run(slow, "START TRANSACTION");
    db_run(slow, "INSERT INTO events(kind, image_id, person_id, at) VALUES(1, 1, 0, 1)");
    observer_run("INSERT INTO events(kind, image_id, person_id, at) VALUES(1, 1, 0, 1)");
    assert_int_equal(observer_number("SELECT MAX(id) FROM events"), 3);
    close_observer();
    observer = slow;
}

static void test_an_event_of_a_slow_transaction_is_waited_for(void **state)
{
    (void)state;
    if (one_writer())
        skip();
    begin_slow_transaction();
    assert_int_equal(read_events(1)->event_count, 0);
    assert_true(last->waits);
    assert_int_equal(last->next, 1);
    observer_run("COMMIT");
    assert_int_equal(read_events(1)->next, 3);
    assert_false(last->waits);
}

static void test_a_number_that_was_rolled_back_is_passed(void **state)
{
    (void)state;
    if (one_writer())
        skip();
    begin_slow_transaction();
    observer_run("ROLLBACK");
    assert_int_equal(read_events(1)->next, 3);
    assert_int_equal(last->event_count, 1);
    assert_false(last->waits);
}

static void test_a_new_reader_begins_before_the_event_of_a_slow_transaction(void **state)
{
    (void)state;
    if (one_writer())
        skip();
    begin_slow_transaction();
    assert_int_equal(read_events(INT64_MAX)->last_event, 3);
    assert_int_equal(last->settled_event, 1);
    observer_run("COMMIT");
    assert_int_equal(read_events(INT64_MAX)->settled_event, 3);
}

#define ORDER(f) cmocka_unit_test_setup_teardown(f, setup_order, teardown_order)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ORDER(test_a_later_request_of_the_same_sender_does_not_commit_first),
        ORDER(test_many_requests_of_one_sender_take_effect_in_their_order),
        ORDER(test_a_face_whose_template_is_being_deleted_is_decided_again),
        ORDER(test_a_face_whose_person_is_being_deleted_gets_no_name),
        ORDER(test_a_deletion_finds_the_face_of_a_run_that_ends_meanwhile),
        ORDER(test_an_event_of_a_slow_transaction_is_waited_for),
        ORDER(test_a_number_that_was_rolled_back_is_passed),
        ORDER(test_a_new_reader_begins_before_the_event_of_a_slow_transaction),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
