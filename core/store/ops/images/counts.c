/* The counts of images by status. Every transaction adds its own changes to a row of status_counts; other programs do
 * not. A recount compares the rows of images with the counts in one snapshot: the difference is what others changed.
 *
 * The columns count by the numbers of the original table, as nodes of the version before do: images with unknown faces
 * are among `pending`, those without a face among `failed`. */
#include "core/store/store_internal.h"

int op_status_counts(struct op *op, const struct msg *msg)
{
    struct db_statement *s = db_query(
        op->db,
        "SELECT {|CAST(}SUM(pending){| AS SIGNED)}, {|CAST(}SUM(processed){| AS SIGNED)}, {|CAST(}SUM(failed){| "
        "AS SIGNED)}, {|CAST(}SUM(processing){| AS SIGNED)}, {|CAST(}SUM(unknown){| AS SIGNED)}, "
        "{|CAST(}SUM(no_face){| AS SIGNED)}, {|CAST(}SUM(corrections){| AS SIGNED)}, {|CAST(}SUM(review){| AS SIGNED)} "
        "FROM status_counts");
    struct image_counts *c = &op->reply->counts;
    int result;

    (void)msg;
    if ((result = db_step(op->db, s)) == DB_ROW) {
        c->unknown = op->d->column_int(s, 4);
        c->no_face = op->d->column_int(s, 5);
        c->by_status[IMAGE_PENDING] = op->d->column_int(s, IMAGE_PENDING) - c->unknown;
        c->by_status[IMAGE_PROCESSED] = op->d->column_int(s, IMAGE_PROCESSED) + c->unknown + c->no_face;
        c->by_status[IMAGE_FAILED] = op->d->column_int(s, IMAGE_FAILED) - c->no_face;
        c->by_status[IMAGE_PROCESSING] = op->d->column_int(s, IMAGE_PROCESSING);
        op->reply->next = op->d->column_int(s, 6);
        c->review = op->d->column_int(s, 7);
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}

void op_bind_counts(const struct db_driver *d, struct db_statement *s, const struct image_counts *c)
{
    d->bind_int(s, 1, c->by_status[IMAGE_PENDING] + c->unknown);
    d->bind_int(s, 2, c->by_status[IMAGE_PROCESSED] - c->unknown - c->no_face);
    d->bind_int(s, 3, c->by_status[IMAGE_FAILED] + c->no_face);
    d->bind_int(s, 4, c->by_status[IMAGE_PROCESSING]);
    d->bind_int(s, 5, c->unknown);
    d->bind_int(s, 6, c->no_face);
    d->bind_int(s, 7, c->review);
}

bool op_counts_are_zero(const struct image_counts *c)
{
    bool any = c->unknown != 0 || c->no_face != 0 || c->review != 0;

    for (int i = 0; i < IMAGE_STATUSES; i++)
        any |= c->by_status[i] != 0;
    return !any;
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

/* A row whose image another program deleted does not count. Its one value is 0. */
#define SLICE_REVIEW                                                                                                   \
    "SELECT COUNT(*), MAX(id) FROM (SELECT i.id FROM doubts d {CROSS JOIN|STRAIGHT_JOIN} images i ON i.id = "          \
    "d.image_id "                                                                                                      \
    "WHERE ? = 0 AND d.image_id > ? ORDER BY d.image_id LIMIT 100000) s"
#define VERDICT_IS "verdict = ? AND verdict > 0"
#define SLICE(condition)                                                                                               \
    "SELECT COUNT(*), MAX(id) FROM (SELECT id FROM images WHERE " condition " AND id > ? ORDER BY id LIMIT 100000) s"

/* Rows without a key are counted when they are adopted. */
static int counts_subtract_unkeyed(struct op *op, struct image_counts *real)
{
    struct db_statement *s =
        db_query(op->db, "SELECT state, verdict, COUNT(*) FROM images WHERE path_key IS NULL GROUP BY state, verdict");
    int result;

    while ((result = db_step(op->db, s)) == DB_ROW) {
        int64_t state = op->d->column_int(s, 0), verdict = op->d->column_int(s, 1), count = op->d->column_int(s, 2);

        if (state == STATE_RETRYABLE)
            state = IMAGE_FAILED;
        if (state >= 0 && state < IMAGE_STATUSES)
            real->by_status[state] -= count;
        if (state == IMAGE_PROCESSED && verdict == VERDICT_UNKNOWN)
            real->unknown -= count;
        if (state == IMAGE_PROCESSED && verdict == VERDICT_NO_FACE)
            real->no_face -= count;
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
    struct image_counts real = {0}, *difference = &op->reply->counts;
    int result;

    /* The first read makes the snapshot. */
    if ((result = counts_begin_snapshot(op)) < 0 || (result = op_status_counts(op, msg)) < 0)
        return result;
    for (int status = 0; status < IMAGE_STATUSES && result >= 0; status++)
        result = counts_count(op, SLICE("state = ?"), status, &real.by_status[status]);
    if (result < 0 ||
        (result = counts_count(op, SLICE("state = ?"), STATE_RETRYABLE, &real.by_status[IMAGE_FAILED])) < 0 ||
        (result = counts_count(op, SLICE(VERDICT_IS " AND state + 0 = 1"), VERDICT_UNKNOWN, &real.unknown)) < 0 ||
        (result = counts_count(op, SLICE(VERDICT_IS " AND state + 0 = 1"), VERDICT_NO_FACE, &real.no_face)) < 0 ||
        (result = counts_count(op, SLICE_REVIEW, 0, &real.review)) < 0 ||
        (result = counts_subtract_unkeyed(op, &real)) < 0)
        return result;
    for (int i = 0; i < IMAGE_STATUSES; i++)
        difference->by_status[i] = real.by_status[i] - difference->by_status[i];
    difference->unknown = real.unknown - difference->unknown;
    difference->no_face = real.no_face - difference->no_face;
    difference->review = real.review - difference->review;
    op->reply->changed = !op_counts_are_zero(difference);
    return 0;
}

void op_add_counts(struct image_counts *to, const struct image_counts *more)
{
    for (int i = 0; i < IMAGE_STATUSES; i++)
        to->by_status[i] += more->by_status[i];
    to->unknown += more->unknown;
    to->no_face += more->no_face;
    to->review += more->review;
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
    if (op->reply->changed)
        op_add_counts(&op->counts, &m->counts);
    return 0;
}
