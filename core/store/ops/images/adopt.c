/* Rows that other programs inserted into the original tables. Their SQL cannot compute the key of a path or a name, so
 * these rows have none. Adoption adds it, counts the images and reports them to subscribers. */
#include "core/store/store_internal.h"

enum { BATCH = 256 };

struct unkeyed { /* a row without a key */
    int64_t id, status, verdict;
    const char *text; /* the path or the name */
};

static int adopt_read(struct op *op, struct db_statement *s, struct unkeyed *rows)
{
    int count = 0, result = DB_DONE;

    while (count < BATCH && (result = db_step(op->db, s)) == DB_ROW) {
        const char *text = op_text(op, s, 1);

        rows[count++] = (struct unkeyed){.id = op->d->column_int(s, 0),
                                         .text = text ? text : "",
                                         .status = op->d->column_int(s, 2),
                                         .verdict = op->d->column_int(s, 3)};
    }
    op->d->reset(s);
    return result < 0 ? result : count;
}

/* The key of a row whose text another row has already: unique, and of no path or name. */
static void adopt_duplicate_key(struct op *op, const struct unkeyed *row, uint8_t key[static PATH_KEY_BYTES])
{
    op_text_key(arena_printf(op->arena, "%lld:%s", (long long)row->id, row->text), key);
}

static int adopt_write_key(struct op *op, const char *sql, const struct unkeyed *row, const uint8_t *key)
{
    struct db_statement *s = db_query(op->db, sql);

    op->d->bind_blob(s, 1, key, PATH_KEY_BYTES, 0);
    op->d->bind_int(s, 2, row->id);
    return db_finish(op->db, s);
}

static int adopt_row(struct op *op, const char *sql, const struct unkeyed *row)
{
    uint8_t key[PATH_KEY_BYTES];
    int result;

    op_text_key(row->text, key);
    if ((result = adopt_write_key(op, sql, row, key)) != DB_INVALID)
        return result;
    op->db->failure = 0; /* the key is taken: a unique index refused the statement, and only that */
    adopt_duplicate_key(op, row, key);
    return adopt_write_key(op, sql, row, key);
}

int64_t op_server_clock(struct db *db, bool *unkeyed_images)
{
    struct db_statement *s = db_query(db, "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED), EXISTS(SELECT 1 FROM "
                                          "images WHERE path_key IS NULL)");
    int result = db_step(db, s);
    int64_t now_ms = result == DB_ROW ? db->driver->column_int(s, 0) : result < 0 ? result : DB_ERROR;

    *unkeyed_images = result == DB_ROW && db->driver->column_int(s, 1) > 0;
    db->driver->reset(s);
    return now_ms;
}

int op_adopt_images(struct op *op)
{
    struct unkeyed rows[BATCH];
    int count, result = 0;

    if (op->all_keyed)
        return 0;
    count = adopt_read(op,
                       db_query(op->db, "SELECT id, path, status, verdict FROM images WHERE path_key IS NULL ORDER "
                                        "BY id LIMIT 256{| FOR UPDATE SKIP LOCKED}"),
                       rows);
    for (int i = 0; i < count && result >= 0; i++) {
        const struct unkeyed *row = &rows[i];

        /* Their programs know no verdict and no reason: of a failure the next run tells whether it can be cured. */
        result = adopt_row(op,
                           "UPDATE images SET path_key = ?, verdict = CASE WHEN status = 1 AND person > 0 THEN 1 ELSE "
                           "verdict END, retryable = CASE WHEN status = 2 AND verdict = 0 AND reason IS NULL THEN 1 "
                           "ELSE retryable END WHERE id = ?",
                           row);
        if (row->status >= 0 && row->status < IMAGE_STATUSES)
            op_moved(op, -1, 0, (int)row->status, (int)row->verdict);
        if (result >= 0)
            result = op_event(op, EVENT_IMAGE, row->id, 0);
    }
    return count < 0 ? count : result;
}

/* The name stays as it is. Its keys are those of its alike form: of alike names the first one has it as its unique key.
 */
static int adopt_person(struct op *op, const struct unkeyed *row)
{
    struct unkeyed alike = {.id = row->id, .text = op_alike_name(op, row->text)};
    struct db_statement *s;
    uint8_t key[PATH_KEY_BYTES];
    int result = adopt_row(op, "UPDATE person SET name_key = ? WHERE id = ?", &alike);

    if (result < 0)
        return result;
    s = db_query(op->db, "UPDATE person SET name_alike = ?, name_form = 1 WHERE id = ?");
    op_text_key(alike.text, key);
    op->d->bind_blob(s, 1, key, sizeof key, 0);
    op->d->bind_int(s, 2, row->id);
    if ((result = db_finish(op->db, s)) < 0)
        return result;
    return op_write_name_words(op, row->id, row->text);
}

int op_adopt_people_batch(struct op *op)
{
    struct unkeyed rows[BATCH];
    int count = adopt_read(op,
                           db_query(op->db, "SELECT id, name, 0, 0 FROM person WHERE name_form = 0 ORDER BY id LIMIT "
                                            "256{| FOR UPDATE SKIP LOCKED}"),
                           rows),
        result = 0;

    for (int i = 0; i < count && result >= 0; i++)
        result = adopt_person(op, &rows[i]);
    return count < 0 ? count : result < 0 ? result : count == BATCH;
}

/* All of them: a name is found by its key only. */
int op_adopt_people(struct op *op)
{
    int result;

    while ((result = op_adopt_people_batch(op)) > 0)
        ;
    return result;
}
