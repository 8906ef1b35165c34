/* The counts of images by status. Every transaction adds its own changes to a row of status_counts; other programs do
 * not. A recount compares the rows of images with the counts in one snapshot: the difference is what others changed. */
#include "core/store/store_internal.h"

int op_status_counts(struct op *op, const struct msg *msg)
{
    struct db_statement *s = db_query(
        op->db,
        "SELECT {|CAST(}SUM(pending){| AS SIGNED)}, {|CAST(}SUM(processed){| AS SIGNED)}, {|CAST(}SUM(failed){| "
        "AS SIGNED)}, {|CAST(}SUM(processing){| AS SIGNED)}, {|CAST(}SUM(unknown){| AS SIGNED)}, "
        "{|CAST(}SUM(corrections){| AS SIGNED)} FROM status_counts");
    int result;

    (void)msg;
    if ((result = db_step(op->db, s)) == DB_ROW) {
        for (int i = 0; i < IMAGE_STATUSES; i++)
            op->reply->status_counts[i] = op->d->column_int(s, i);
        op->reply->unknown = op->d->column_int(s, 4);
        op->reply->next = op->d->column_int(s, 5);
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* Counts in slices of an index, so that no statement runs into the time limit of a server. */
static int counts_count(struct op *op, const char *sql, int64_t value, int64_t *total)
{
    int64_t after = INT64_MIN, count;
    int result;

    do {
        struct db_statement *s = db_query(op->db, sql);

        count = 0;
        op->d->bind_int(s, 1, value);
        op->d->bind_int(s, 2, after);
        if ((result = db_step(op->db, s)) == DB_ROW) {
            count = op->d->column_int(s, 0);
            after = op->d->column_int(s, 1);
        }
        op->d->reset(s);
        *total += count;
    } while (result >= 0 && count > 0);
    return result;
}

#define SLICE(condition)                                                                                               \
    "SELECT COUNT(*), MAX(id) FROM (SELECT id FROM images WHERE " condition " AND id > ? ORDER BY id LIMIT 100000) s"

/* Rows without a key are counted when they are adopted. */
static int counts_subtract_unkeyed(struct op *op, int64_t status_counts[static IMAGE_STATUSES])
{
    struct db_statement *s =
        db_query(op->db, "SELECT status, COUNT(*) FROM images WHERE path_key IS NULL GROUP BY status");
    int result;

    while ((result = db_step(op->db, s)) == DB_ROW) {
        int64_t status = op->d->column_int(s, 0);

        if (status >= 0 && status < IMAGE_STATUSES)
            status_counts[status] -= op->d->column_int(s, 1);
    }
    op->d->reset(s);
    return result;
}

/* The store's sessions read committed: the snapshot of a server needs another isolation level. */
static int counts_begin_snapshot(struct op *op)
{
    int result;

    if (op->d->dialect == DIALECT_SQLITE)
        return 0;
    if ((result = db_run(op->db, "COMMIT")) < 0 ||
        (result = db_run(op->db, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")) < 0)
        return result;
    return db_run(op->db, "START TRANSACTION READ ONLY");
}

int op_recount(struct op *op, const struct msg *msg)
{
    int64_t real[IMAGE_STATUSES] = {0}, unknown = 0;
    int result;

    /* The first read makes the snapshot. */
    if ((result = counts_begin_snapshot(op)) < 0 || (result = op_status_counts(op, msg)) < 0)
        return result;
    for (int status = 0; status < IMAGE_STATUSES && result >= 0; status++)
        result = counts_count(op, SLICE("status = ?"), status, &real[status]);
    if (result < 0 ||
        (result = counts_count(op, SLICE("verdict = ? AND verdict > 0"), VERDICT_UNKNOWN, &unknown)) < 0 ||
        (result = counts_subtract_unkeyed(op, real)) < 0)
        return result;
    for (int i = 0; i < IMAGE_STATUSES; i++) {
        op->reply->status_counts[i] = real[i] - op->reply->status_counts[i];
        op->reply->changed += op->reply->status_counts[i] != 0;
    }
    op->reply->unknown = unknown - op->reply->unknown;
    op->reply->changed += op->reply->unknown != 0;
    return 0;
}

/* The number of corrections tells whether another node has corrected the same difference since the recount. */
int op_correct_counts(struct op *op, const struct msg *msg)
{
    const struct store_counts *m = (const struct store_counts *)msg;
    struct db_statement *s =
        db_query(op->db, "UPDATE status_counts SET corrections = corrections + 1 WHERE id = 0 AND corrections = ?");

    op->d->bind_int(s, 1, m->corrections);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    op->reply->changed = op->d->changes(op->db);
    if (op->reply->changed == 0)
        return 0;
    for (int i = 0; i < IMAGE_STATUSES; i++)
        op->status_counts[i] += m->status_counts[i];
    op->unknown += m->unknown;
    return 0;
}
