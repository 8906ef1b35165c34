/* Events for subscribers, and the log of gallery changes. */
#include "core/store/store_internal.h"

#define EVENT      "(?, ?, ?, ?)"
#define EVENTS8    EVENT ", " EVENT ", " EVENT ", " EVENT ", " EVENT ", " EVENT ", " EVENT ", " EVENT
#define EVENTS64   EVENTS8 ", " EVENTS8 ", " EVENTS8 ", " EVENTS8 ", " EVENTS8 ", " EVENTS8 ", " EVENTS8 ", " EVENTS8
#define ADD_EVENTS "INSERT INTO events(kind, image_id, person_id, at) VALUES"

static int changes_insert_events(struct op *op, int kind, const int64_t *images, int count, int64_t person)
{
    struct db_statement *s = db_query(op->db, count == 64  ? ADD_EVENTS EVENTS64
                                              : count == 8 ? ADD_EVENTS EVENTS8
                                                           : ADD_EVENTS EVENT);
    int at = 0;

    for (int i = 0; i < count; i++) {
        op->d->bind_int(s, ++at, kind);
        op->d->bind_int(s, ++at, images[i]);
        op->d->bind_int(s, ++at, person);
        op->d->bind_int(s, ++at, op->now_ms);
    }
    op->made_events = true;
    return db_finish(op->db, s);
}

int op_event(struct op *op, int kind, int64_t image, int64_t person)
{
    return changes_insert_events(op, kind, &image, 1, person);
}

int op_events(struct op *op, int kind, const int64_t *images, int count)
{
    int result = 0;

    for (int at = 0, n; at < count && result >= 0; at += n) {
        n = count - at >= 64 ? 64 : count - at >= 8 ? 8 : 1;
        result = changes_insert_events(op, kind, images + at, n, 0);
    }
    return result;
}

/* The row of gallery_head stays locked to the end of the transaction, so that numbers are in the order of the commits.
 */
int op_gallery_log(struct op *op, enum gallery_change_kind kind, int64_t person, int64_t template)
{
    struct db_statement *s;
    int64_t n = 0;
    int result;

    if ((result = db_run(op->db, "UPDATE gallery_head SET n = n + 1 WHERE id = 1")) < 0)
        return result;
    s = db_query(op->db, "SELECT n FROM gallery_head WHERE id = 1");
    if ((result = db_step(op->db, s)) == DB_ROW)
        n = op->d->column_int(s, 0);
    op->d->reset(s);
    if (result < 0)
        return result;
    if ((result = op_gallery_log_replace(op, kind, person, template)) < 0)
        return result;
    s = db_query(op->db, "INSERT INTO gallery_log(n, kind, person_id, template_id, at) VALUES(?, ?, ?, ?, ?)");
    op->d->bind_int(s, 1, n);
    op->d->bind_int(s, 2, kind);
    op->d->bind_int(s, 3, person);
    op->d->bind_int(s, 4, template);
    op->d->bind_int(s, 5, op->now_ms);
    return db_finish(op->db, s) < 0 ? DB_ERROR : op_gallery_mark(op, n);
}
