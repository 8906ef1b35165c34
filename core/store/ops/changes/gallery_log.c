/* Compaction of the gallery's log.
 *
 * A reader that starts from an empty gallery needs the rows that add what is still there, and no others. So:
 *
 * - A row that a newer one replaces is deleted with the newer one's insertion: a reader that has not passed the older
 *   row has not passed the newer one either.
 * - A removal (of a template, a person or an unknown face) is needed by readers that have passed the addition but not
 * the removal. It is deleted once it is old: every node reads the log many times within that age, and thus has passed
 * it. The number of the last removal that was deleted is kept, so that a reader that is further behind than expected
 * reads the whole log again.
 *
 * gallery_head has three rows: 1, the number of the last change; 2, the number of the last removal that was deleted;
 * 3, the number up to which the log was compacted. Rows 2 and 3 are missing before the first compaction.
 */
#include "core/store/store_internal.h"

#include <assert.h>

enum { HEAD_LAST = 1, HEAD_REMOVAL, HEAD_COMPACTED };

#define IS_REMOVAL "kind IN (2, 4, 6, 7)"
static_assert(GALLERY_TEMPLATE_REMOVED == 2 && GALLERY_PERSON_REMOVED == 4 && GALLERY_FACE_REMOVED == 6 &&
                  GALLERY_COUNTER_REMOVED == 7,
              "IS_REMOVAL names these kinds");

int op_gallery_log_replace(struct op *op, enum gallery_change_kind kind, int64_t person, int64_t template)
{
    struct db_statement *s;

    if (kind == GALLERY_PERSON_NAMED)
        s = db_query(op->db, "DELETE FROM gallery_log WHERE person_id = ? AND kind = 3");
    else if (kind == GALLERY_TEMPLATE_REMOVED || kind == GALLERY_COUNTER_ADDED || kind == GALLERY_COUNTER_REMOVED)
        s = db_query(op->db, "DELETE FROM gallery_log WHERE person_id = ? AND template_id = ?");
    else
        return 0;
    op->d->bind_int(s, 1, person);
    if (kind != GALLERY_PERSON_NAMED)
        op->d->bind_int(s, 2, template);
    return db_finish(op->db, s);
}

static int gallery_log_read_head(struct op *op, int64_t n[static HEAD_COMPACTED + 1])
{
    struct db_statement *s = db_query(op->db, "SELECT id, n FROM gallery_head WHERE id <= 3");
    int result;

    for (int id = HEAD_LAST; id <= HEAD_COMPACTED; id++)
        n[id] = 0;
    while ((result = db_step(op->db, s)) == DB_ROW)
        n[op->d->column_int(s, 0)] = op->d->column_int(s, 1);
    op->d->reset(s);
    return result;
}

int op_gallery_log_bounds(struct op *op)
{
    int64_t n[HEAD_COMPACTED + 1];
    int result = gallery_log_read_head(op, n);

    op->reply->log_removal = n[HEAD_REMOVAL];
    return result < 0 ? result : 0;
}

static int gallery_log_write_head(struct op *op, int id, int64_t n)
{
    struct db_statement *s = db_query(op->db, "REPLACE INTO gallery_head(id, n) VALUES(?, ?)");

    op->d->bind_int(s, 1, id);
    op->d->bind_int(s, 2, n);
    return db_finish(op->db, s);
}

/* Runs a query with one number as its result. A negative db_result, or 0. */
static int gallery_log_query(struct op *op, const char *sql, int64_t first, int64_t second, int64_t *value)
{
    struct db_statement *s = db_query(op->db, sql);
    int result;

    op->d->bind_int(s, 1, first);
    op->d->bind_int(s, 2, second);
    if ((result = db_step(op->db, s)) == DB_ROW)
        *value = op->d->column_int(s, 0);
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* Deletes the removals of (from, to]. */
static int gallery_log_delete_removals(struct op *op, int64_t from, int64_t to)
{
    struct db_statement *s;
    int64_t last = 0;

    if (gallery_log_query(op, "SELECT COALESCE(MAX(n), 0) FROM gallery_log WHERE n > ? AND n <= ? AND " IS_REMOVAL,
                          from, to, &last) < 0)
        return DB_ERROR;
    if (!last)
        return 0;
    s = db_query(op->db, "DELETE FROM gallery_log WHERE n > ? AND n <= ? AND " IS_REMOVAL);
    op->d->bind_int(s, 1, from);
    op->d->bind_int(s, 2, to);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    return gallery_log_write_head(op, HEAD_REMOVAL, last);
}

int op_gallery_log_compact(struct op *op, int64_t before_ms)
{
    enum { BATCH = 500 };
    int64_t n[HEAD_COMPACTED + 1], to = 0;
    int result;

    /* Two nodes must not compact at once. */
    if (op->d->dialect == DIALECT_MARIADB && db_run(op->db, "UPDATE gallery_head SET n = n WHERE id = 1") < 0)
        return DB_ERROR;
    if ((result = gallery_log_read_head(op, n)) < 0)
        return result;
    if (gallery_log_query(op,
                          "SELECT COALESCE(MAX(n), 0) FROM (SELECT n, at FROM gallery_log WHERE n > ? ORDER BY n LIMIT "
                          "500) batch WHERE at < ?",
                          n[HEAD_COMPACTED], before_ms, &to) < 0)
        return DB_ERROR;
    if (!to)
        return 0;
    if (gallery_log_delete_removals(op, n[HEAD_COMPACTED], to) < 0 ||
        gallery_log_write_head(op, HEAD_COMPACTED, to) < 0)
        return DB_ERROR;
    op->reply->more |= to - n[HEAD_COMPACTED] >= BATCH; /* a full batch spans at least so many numbers */
    return 0;
}
