/* Errors of the database and refusals: what the store answers, what stays behind, what a client reads. */
#include "test/unit/store_world.h"

static void test_a_failed_commit_is_no_success(void **state)
{
    (void)state;
    open_observer();
    atomic_store(&db_fault.commit, 1);
    assert_int_equal(ask(submission("/a"))->status, STORE_BROKEN);
    atomic_store(&db_fault.commit, 0);
    assert_int_equal(observer_number("SELECT COUNT(*) FROM images"), 0);
    assert_int_equal(ask(submission("/a"))->status, STORE_OK);
    assert_false(last->images[0].existing);
    expect_status_counts(1, 0, 0, 0, 0);
    close_observer();
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

/* --- errors that a repetition meets again, and errors that may pass --- */

static void test_only_errors_of_the_values_are_permanent(void **state)
{
    static const int sqlite[][2] =
        {
            {19, DB_INVALID},   {20, DB_INVALID}, {18, DB_INVALID},
            {25, DB_INVALID},   {21, DB_INVALID},                     /* CONSTRAINT, … */
            {1555, DB_INVALID},                                       /* …_PRIMARYKEY */
            {5, DB_CONFLICT},   {6, DB_CONFLICT}, {261, DB_CONFLICT}, /* BUSY, LOCKED */
            {13, DB_FULL},      {10, DB_IO},      {11, DB_DAMAGED},
            {26, DB_DAMAGED},   {8, DB_ERROR},    {14, DB_ERROR},
            {7, DB_ERROR},      {9, DB_ERROR},    {1, DB_ERROR}, /* READONLY, CANTOPEN, … */
        };
    static const int mariadb[][2] = {
        {1406, DB_INVALID},  {1366, DB_INVALID},  {1264, DB_INVALID}, {1062, DB_INVALID}, {1452, DB_INVALID},
        {1054, DB_INVALID},  {1644, DB_INVALID},  {1048, DB_INVALID}, {4025, DB_INVALID}, {1213, DB_CONFLICT},
        {1205, DB_CONFLICT}, {1020, DB_CONFLICT}, /* deadlock, lock wait, changed row */
        {1021, DB_FULL},     {1114, DB_FULL},     /* disk full, table full */
        {2006, DB_GONE},     {2013, DB_GONE},     {1040, DB_GONE},    {1290, DB_GONE},    {1927, DB_GONE},
        {1030, DB_ERROR},    {1026, DB_ERROR},    {1836, DB_ERROR},   {1041, DB_ERROR}, /* I/O, read-only, memory */
    };

    (void)state;
    for (size_t i = 0; i < sizeof sqlite / sizeof sqlite[0]; i++)
        assert_int_equal(db_sqlite_result(sqlite[i][0]), sqlite[i][1]);
    for (size_t i = 0; i < sizeof mariadb / sizeof mariadb[0]; i++)
        assert_int_equal(db_mariadb_result((unsigned)mariadb[i][0]), mariadb[i][1]);
}

static void expect_general_text(void)
{
    static const char *const details[] = {"quarantine", "sha256", "images", "lock", "Lock", "NULL", "UPDATE", "(1"};

    for (size_t i = 0; i < sizeof details / sizeof details[0]; i++)
        if (strstr(last->error, details[i]))
            fail_msg("a client reads “%s”", last->error);
    assert_true(last->error[0]);
}

static void test_a_refused_value_is_permanent_and_its_cause_is_not_shown_to_clients(void **state)
{
    (void)state;
    assert_int_equal(ask(STORE_MESSAGE(STORE_QUARANTINE, store_text))->status, STORE_BROKEN); /* NOT NULL fails */
    assert_true(last->permanent);
    expect_general_text();
}

static void test_an_injected_error_that_may_pass_is_not_permanent(void **state)
{
    static const int results[][2] = {{DB_ERROR, STORE_BROKEN}, {DB_FULL, STORE_NO_SPACE}, {DB_CONFLICT, STORE_AWAY}};

    (void)state;
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        atomic_store(&db_fault.result, results[i][0]);
        atomic_store(&db_fault.step, 1);
        ask(submission("/a"));
        atomic_store(&db_fault.step, 0);
        atomic_store(&db_fault.result, 0);
        assert_int_equal(last->status, results[i][1]);
        assert_false(last->permanent);
        expect_general_text();
    }
    assert_int_equal(ask(submission("/a"))->status, STORE_OK);
}

/* Another program holds a lock for longer than the store waits for a lock. */
static void test_a_lock_that_is_held_too_long_is_not_permanent(void **state)
{
    (void)state;
    close_store();
    database_timeout_ms = 2000;
    open_store();
    database_timeout_ms = 0;
    open_observer();
    observer_run("{BEGIN IMMEDIATE|START TRANSACTION}");
    observer_run("{SELECT 1|INSERT INTO images(path, path_key) VALUES('/a', UNHEX(LEFT(SHA2('/a', 256), 32)))}");
    assert_int_equal(ask(submission("/a"))->status, STORE_AWAY);
    assert_false(last->permanent);
    expect_general_text();
    observer_run("ROLLBACK");
    close_observer();
    assert_int_equal(ask(submission("/a"))->status, STORE_OK);
}

/* A trigger refuses the end of one image's lease. */
static void test_one_refused_row_does_not_keep_the_other_leases(void **state)
{
    struct store_reap *m = STORE_MESSAGE(STORE_REAP, store_reap);
    int64_t first = submit("/first"), bad = submit("/bad"), last_id = submit("/last");

    (void)state;
    claim(3);
    open_observer();
    observer_run("CREATE TRIGGER bad BEFORE UPDATE ON images {WHEN OLD.path = '/bad' AND NEW.status <> 3 BEGIN SELECT "
                 "RAISE(ABORT, 'bad row'); END|FOR EACH ROW IF OLD.path = '/bad' AND NEW.status <> 3 THEN SIGNAL "
                 "SQLSTATE '45000'; END IF}");
    m->not_owner = "the next one";
    m->max_tries = 5;
    assert_int_equal(ask(m)->status, STORE_OK);
    assert_int_equal(last->changed, 2);
    assert_int_equal(last->skipped, 1);
    assert_int_equal(last->skipped_id, bad);
    assert_int_equal(image(first)->status, IMAGE_PENDING);
    assert_int_equal(image(bad)->status, IMAGE_PROCESSING);
    assert_int_equal(image(last_id)->status, IMAGE_PENDING);
    expect_status_counts(2, 0, 0, 1, 0);
    observer_run("DROP TRIGGER bad");
    close_observer();
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

enum { NEIGHBOURS = 20 };

/* The operation creates the person before it finds that there is no such unknown person. */
static struct msg *name_nobody(void)
{
    struct store_name_face *m = STORE_MESSAGE(STORE_NAME_UNKNOWN_PERSON, store_name_face);

    m->face = 999;
    m->person_name = "Ghost";
    return &m->m.head;
}

static void ask_refused_among_others(struct actor *self)
{
    for (int i = 0; i < NEIGHBOURS; i++) {
        char path[32];

        snprintf(path, sizeof path, "/neighbour/%d", i);
        if (i == NEIGHBOURS / 2)
            actor_ask(self, "store", name_nobody(), 60000, on_answer, NULL);
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
    expect_status_counts(NEIGHBOURS, 0, 0, 0, 0);
    open_observer();
    assert_int_equal(observer_number("SELECT COUNT(*) FROM person"), 0);
    close_observer();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_failed_commit_is_no_success),
        TEST(test_a_text_that_is_not_utf8_is_stored_with_replacements),
        cmocka_unit_test(test_only_errors_of_the_values_are_permanent),
        TEST(test_a_refused_value_is_permanent_and_its_cause_is_not_shown_to_clients),
        TEST(test_an_injected_error_that_may_pass_is_not_permanent),
        TEST(test_one_refused_row_does_not_keep_the_other_leases),
        TEST(test_a_lock_that_is_held_too_long_is_not_permanent),
        TEST(test_a_refusal_in_a_group_costs_its_neighbours_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
