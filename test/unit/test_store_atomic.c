/* Each operation of the store takes effect as a whole or not at all: errors are injected at every statement of every
 * operation and at its COMMIT, and what the tables hold is compared. */
#include "test/unit/store/operations.h"

/* --- what the tables hold --- */

/* Integers that identify each row of each table. */
static const struct {
    const char *sql;
    int columns;
} tables[] = {
    {"SELECT id, status, verdict, person, attempt, tries, crashes, cycle, finished_at, run_after, retryable, "
     "retry_pause, state, file_size, file_mtime_ns, posted_size, posted_mtime_ns, LENGTH(filename) FROM images ORDER "
     "BY id",
     18},
    {"SELECT id, image_id, person, unknown_person, word, place, template_id, LENGTH(label) FROM faces ORDER BY id", 8},
    {"SELECT id, kind, image_id, face_id, person_id, enrols, embed_claims, embed_until FROM words ORDER BY id", 8},
    {"SELECT id, kind, subject, n FROM decide_again ORDER BY id", 4},
    {"SELECT id, LENGTH(name), from_folder FROM person ORDER BY id", 3},
    {"SELECT id, person_id, LENGTH(refused_model), embed_claims, embed_until FROM person_images ORDER BY id", 5},
    {"SELECT id, person_id, photo_id, counter, word_id FROM templates ORDER BY id", 5},
    {"SELECT n, kind, person_id, template_id FROM gallery_log ORDER BY n", 4},
    {"SELECT n FROM gallery_head", 1},
    {"SELECT id, kind, image_id, person_id FROM events ORDER BY id", 4},
    {"SELECT id, pending, processed, failed, processing, unknown, no_face FROM status_counts WHERE pending <> 0 OR "
     "processed <> 0 OR failed <> 0 OR processing <> 0 OR unknown <> 0 OR no_face <> 0 ORDER BY id",
     7},
    {"SELECT id FROM api_keys ORDER BY id", 1},
    {"SELECT created_at FROM idempotency ORDER BY idem_key", 1},
    {"SELECT until_ms FROM quarantine ORDER BY sha256", 1},
    {"SELECT size, taken, photo_id, state, gone_at FROM known_files ORDER BY path_key", 5},
    {"SELECT id, LENGTH(name), LENGTH(name_key), LENGTH(notes), portrait_photo, portrait_face FROM person ORDER BY id",
     6},
    {"SELECT person_id, LENGTH(word) FROM person_names ORDER BY word, person_id", 2},
    {"SELECT id, kind, person_id FROM words ORDER BY id", 3},
    {"SELECT id, state, faces, templates, photos, words, duplicates FROM merges ORDER BY id", 7},
    {"SELECT merge_id, kind, row_id, other FROM merge_rows ORDER BY merge_id, kind, row_id", 4},
    {"SELECT seen_at FROM erasers ORDER BY node", 1},
    {"SELECT id, made_at FROM erasures ORDER BY id", 2},
    {"SELECT id, at, person_id FROM audit ORDER BY id", 3},
    {"SELECT id, state, done, after_image, finished_at FROM operations ORDER BY id", 5},
    {"SELECT boot FROM nodes ORDER BY node", 1},
    {"SELECT scope, subject, kind FROM unfinished ORDER BY scope, subject", 3},
};

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

/* Runs one operation whose COMMIT fails. */
static void fail_at_commit(const char *name, void *(*make)(void), bool reads)
{
    uint64_t before = state_of_tables();

    atomic_store(&db_fault.hits, 0);
    atomic_store(&db_fault.commit, 1);
    ask(make());
    atomic_store(&db_fault.commit, 0);
    if (reads)
        return; /* it may not need one */
    if (atomic_load(&db_fault.hits) == 0)
        fail_msg("%s has no COMMIT", name);
    if (last->status == STORE_OK || last->status == STORE_NOT_FOUND)
        fail_msg("%s: a failed COMMIT became status %d", name, last->status);
    if (state_of_tables() != before)
        fail_msg("%s: a failed COMMIT left changes", name);
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

static void list_operation(bool *listed, void *(*make)(void))
{
    struct msg *m = make();

    listed[m->type - STORE_SUBMIT] = true;
    msg_unref(m);
}

static void test_the_lists_hold_every_operation(void **state)
{
    bool listed[STORE_REPLY - STORE_SUBMIT] = {false};

    (void)state;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        list_operation(listed, operations[i].make);
    for (size_t i = 0; i < sizeof last_operations / sizeof last_operations[0]; i++)
        list_operation(listed, last_operations[i].make);
    for (size_t i = 0; i < sizeof listed / sizeof listed[0]; i++)
        if (!listed[i])
            fail_msg("the operation %zu is not listed", i);
}

static void test_an_error_at_any_statement_or_commit_undoes_the_operation(void **state)
{
    (void)state;
    open_observer();
    fill_records();
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        fail_at_commit(operations[i].name, operations[i].make, operations[i].reads);
        fail_at_each_step(operations[i].name, operations[i].make, operations[i].reads);
    }
    for (size_t i = 0; i < sizeof last_operations / sizeof last_operations[0]; i++) {
        char path[32];

        snprintf(path, sizeof path, "/again/%zu", i);
        unknown_again(path);
        fail_at_commit(last_operations[i].name, last_operations[i].make, false);
        fail_at_each_step(last_operations[i].name, last_operations[i].make, false);
    }
    close_observer();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_lists_hold_every_operation),
        TEST(test_an_error_at_any_statement_or_commit_undoes_the_operation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
