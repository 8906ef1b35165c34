/* Retries: an image waits again, as when it was submitted.
 *
 * A retry of one image takes it whatever became of it. A retry in a batch takes what can be cured: the images that
 * failed by the recogniser, and after them those whose file was missing. In both the oldest last try comes first, so
 * that images that fail again do not keep the others waiting. The pause of an image grows with each retry of a batch
 * until the image is processed. */
#include "core/store/store_internal.h"

#include <string.h>

enum { BATCH = 500 };

int op_requeue(struct op *op, int64_t id, int status, int verdict, int64_t pause_ms)
{
    struct db_statement *s =
        db_query(op->db, "UPDATE images SET status = 0, verdict = 0, person = -1, reason = NULL, tries = 0, crashes = "
                         "0, cycle = cycle + 1, run_after = ?, finished_at = 0, retryable = 0, retry_pause = ? WHERE "
                         "id = ? AND status = ? AND verdict = ?");

    op->d->bind_int(s, 1, op->now_ms);
    op->d->bind_int(s, 2, pause_ms);
    op->d->bind_int(s, 3, id);
    op->d->bind_int(s, 4, status);
    op->d->bind_int(s, 5, verdict);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    if (op->d->changes(op->db) == 0)
        return 0;
    op->reply->changed++;
    op_moved(op, status, verdict, IMAGE_PENDING, VERDICT_NONE);
    if (verdict == VERDICT_KNOWN && op_doubt_forget(op, id) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_IMAGE, id, 0);
}

struct failure { /* a failed image that a batch may take */
    int64_t id, pause_ms;
    int verdict;
};

/* The next pause of an image that had the pause `before`. */
static int64_t retry_next_pause(const struct store_retry *m, int64_t before)
{
    if (before < m->pause_ms)
        return m->pause_ms;
    return before > m->pause_max_ms / 2 ? m->pause_max_ms : 2 * before;
}

static bool retry_wants(struct op *op, struct db_statement *s, const struct store_retry *m)
{
    const char *reason = op_text(op, s, 1);
    int64_t age_ms = op->now_ms - op->d->column_int(s, 2), pause_ms = op->d->column_int(s, 3);

    if (age_ms < m->older_ms || (m->reason && !(reason && strstr(reason, m->reason))))
        return false;
    return m->reason || m->now || age_ms >= pause_ms;
}

/* One page of a group of the failed images. */
static struct db_statement *retry_prepare(struct op *op, const struct store_retry *m)
{
    static const int cures[] = {CURE_RETRY, CURE_FILE, CURE_NONE};
    struct db_statement *s = db_query(
        op->db, "SELECT id, reason, finished_at, retry_pause, verdict FROM images WHERE {status = 2 AND verdict <> 3|"
                "state = CASE ? WHEN 1 THEN 4 ELSE 2 END} AND retryable = ? AND finished_at >= ? AND (finished_at > ? "
                "OR id > ?) ORDER BY finished_at, id LIMIT 500");
    int at = 0, cure = cures[m->after.group];

    if (op->d->dialect == DIALECT_MARIADB)
        op->d->bind_int(s, ++at, cure);
    op->d->bind_int(s, ++at, cure);
    op->d->bind_int(s, ++at, m->after.finished_ms);
    op->d->bind_int(s, ++at, m->after.finished_ms);
    op->d->bind_int(s, ++at, m->after.id);
    return s;
}

/* Reads one page of failed images and filters it here, so that the time of a page is bounded. */
static int retry_batch(struct op *op, const struct store_retry *m)
{
    struct db_statement *s = retry_prepare(op, m);
    struct failure found[BATCH];
    struct retry_cursor *next = &op->reply->retry_next;
    int64_t limit = m->limit ? m->limit : BATCH + 1;
    int seen = 0, count = 0, result = DB_DONE;

    *next = m->after;
    while (seen < BATCH && count < limit && (result = db_step(op->db, s)) == DB_ROW) {
        seen++;
        next->id = op->d->column_int(s, 0);
        next->finished_ms = op->d->column_int(s, 2);
        if (retry_wants(op, s, m))
            found[count++] = (struct failure){.id = next->id,
                                              .pause_ms = retry_next_pause(m, op->d->column_int(s, 3)),
                                              .verdict = (int)op->d->column_int(s, 4)};
    }
    op->d->reset(s);
    if (result < 0)
        return result;
    op->reply->more = seen == BATCH && count < limit;
    if (!op->reply->more && count < limit && m->after.group < (m->reason ? 2 : 1)) {
        *next = (struct retry_cursor){.group = m->after.group + 1};
        op->reply->more = true;
    }
    for (int i = 0; i < count && !m->dry; i++)
        if (op_requeue(op, found[i].id, IMAGE_FAILED, found[i].verdict, found[i].pause_ms) < 0)
            return DB_ERROR;
    if (m->dry)
        op->reply->changed = count;
    return 0;
}

int op_retry(struct op *op, const struct msg *msg)
{
    const struct store_retry *m = (const struct store_retry *)msg;
    struct image *image;
    int result;

    if (m->id == 0)
        return retry_batch(op, m);
    image = arena_alloc(op->arena, sizeof *image);
    if ((result = op_load_image(op, m->id, image)) < 0)
        return result;
    if (result == 0)
        return op_refuse(op, STORE_NOT_FOUND, "there is no image %lld", (long long)m->id);
    if (image->status == IMAGE_PROCESSING)
        return op_refuse(op, STORE_CONFLICT, "image %lld is being processed", (long long)m->id);
    if (op_requeue(op, m->id, image->status, image->verdict, 0) < 0)
        return DB_ERROR;
    op->reply->images = image;
    op->reply->image_count = 1;
    return op_load_image(op, m->id, image) < 0 ? DB_ERROR : 0;
}
