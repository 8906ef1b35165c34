/* Retry and deletion of images; removal of old events, idempotency keys and quarantined hashes. */
#include "core/store/store_internal.h"

#include <string.h>

static int edit_requeue(struct op *op, int64_t id, int status, int verdict)
{
    struct db_statement *s = db_query(
        op->db, "UPDATE images SET status = 0, verdict = 0, person = -1, reason = NULL, tries = 0, crashes = 0, "
                "cycle = cycle + 1, run_after = ?, finished_at = 0 WHERE id = ? AND status = ?");

    op->d->bind_int(s, 1, op->now_ms);
    op->d->bind_int(s, 2, id);
    op->d->bind_int(s, 3, status);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    if (op->d->changes(op->db) == 0)
        return 0;
    op->reply->changed++;
    op_moved(op, status, verdict, IMAGE_PENDING, VERDICT_NONE);
    return op_event(op, EVENT_IMAGE, id, 0);
}

/* Reads one page of failed images and filters it here, so that the time of a page is bounded. */
static int edit_retry_failed(struct op *op, const struct store_retry *m)
{
    enum { BATCH = 500 };
    struct db_statement *s = db_query(
        op->db, "SELECT id, reason, finished_at FROM images WHERE status = 2 AND id > ? ORDER BY id LIMIT 500");
    int64_t ids[BATCH], limit = m->limit ? m->limit : BATCH + 1;
    int seen = 0, count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, m->after);
    while (seen < BATCH && count < limit && (result = db_step(op->db, s)) == DB_ROW) {
        const char *reason = op_text(op, s, 1);

        seen++;
        op->reply->next = op->d->column_int(s, 0);
        if ((!m->reason || (reason && strstr(reason, m->reason))) &&
            op->d->column_int(s, 2) <= op->now_ms - m->older_ms)
            ids[count++] = op->reply->next;
    }
    op->d->reset(s);
    if (result < 0)
        return result;
    op->reply->more = seen == BATCH && count < limit;
    if (m->dry) {
        op->reply->changed = count;
        return 0;
    }
    for (int i = 0; i < count; i++)
        if (edit_requeue(op, ids[i], IMAGE_FAILED, VERDICT_NONE) < 0)
            return DB_ERROR;
    return 0;
}

int op_retry(struct op *op, const struct msg *msg)
{
    const struct store_retry *m = (const struct store_retry *)msg;
    struct image *image;
    int result;

    if (m->id == 0)
        return edit_retry_failed(op, m);
    image = arena_alloc(op->arena, sizeof *image);
    if ((result = op_load_image(op, m->id, image)) < 0)
        return result;
    if (result == 0)
        return op_refuse(op, STORE_NOT_FOUND, "there is no image %lld", (long long)m->id);
    if (image->status == IMAGE_PROCESSING)
        return op_refuse(op, STORE_CONFLICT, "image %lld is being processed", (long long)m->id);
    if (edit_requeue(op, m->id, image->status, image->verdict) < 0)
        return DB_ERROR;
    op->reply->images = image;
    op->reply->image_count = 1;
    return op_load_image(op, m->id, image) < 0 ? DB_ERROR : 0;
}

int op_delete(struct op *op, const struct msg *msg)
{
    const struct store_id *m = (const struct store_id *)msg;
    struct image *image = arena_alloc(op->arena, sizeof *image);
    struct db_statement *s;
    int result = op_load_image(op, m->id, image);

    if (result < 0)
        return result;
    if (result == 0)
        return op_refuse(op, STORE_NOT_FOUND, "there is no image %lld", (long long)m->id);
    s = db_query(op->db, "DELETE FROM faces WHERE image_id = ?");
    op->d->bind_int(s, 1, m->id);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    s = db_query(op->db, "DELETE FROM images WHERE id = ?");
    op->d->bind_int(s, 1, m->id);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    op->reply->changed = 1;
    op->reply->images = image;
    op->reply->image_count = 1;
    op_moved(op, image->status, image->verdict, -1, 0);
    return op_event(op, EVENT_IMAGE_DELETED, m->id, 0);
}

/* Deletes at most a batch of the events beyond `keep`. */
static int edit_prune_events(struct op *op, int64_t keep)
{
    enum { BATCH = 5000 };
    struct db_statement *s = db_query(op->db, "SELECT COALESCE(MIN(id), 0), COALESCE(MAX(id), 0) FROM events");
    int64_t first = 0, last = 0, to;
    int result;

    if ((result = db_step(op->db, s)) == DB_ROW) {
        first = op->d->column_int(s, 0);
        last = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    to = last - keep < first + BATCH - 1 ? last - keep : first + BATCH - 1;
    if (result < 0 || to < first)
        return result < 0 ? result : 0;
    s = db_query(op->db, "DELETE FROM events WHERE id BETWEEN ? AND ?");
    op->d->bind_int(s, 1, first);
    op->d->bind_int(s, 2, to);
    if ((result = db_finish(op->db, s)) < 0)
        return result;
    op->reply->changed = op->d->changes(op->db);
    op->reply->more = to < last - keep;
    return 0;
}

int op_prune(struct op *op, const struct msg *msg)
{
    const struct store_prune *m = (const struct store_prune *)msg;
    struct db_statement *s;

    if (edit_prune_events(op, m->events_keep) < 0)
        return DB_ERROR;
    s = db_query(op->db, "DELETE FROM idempotency WHERE created_at < ?");
    op->d->bind_int(s, 1, m->idempotency_before_ms);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    s = db_query(op->db, "DELETE FROM quarantine WHERE until_ms < ?");
    op->d->bind_int(s, 1, op->now_ms);
    if (db_finish(op->db, s) < 0 || op_forget_nodes(op) < 0)
        return DB_ERROR;
    return op_gallery_log_compact(op, m->gallery_log_before_ms);
}
