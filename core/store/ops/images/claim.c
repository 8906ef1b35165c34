/* Claims of due images and the renewal of their leases. The compare-and-set on (status, attempt) is the fence: no
 * statement here changes a row of another run. `run_after` of an image in processing is the end of its lease, so the
 * same index finds due images and expired leases. */
#include "core/store/store_internal.h"

#define ONE  "?"
#define ID8  "?, ?, ?, ?, ?, ?, ?, ?"
#define ID64 ID8 ", " ID8 ", " ID8 ", " ID8 ", " ID8 ", " ID8 ", " ID8 ", " ID8
#define TAKE(ids)                                                                                                      \
    "UPDATE images SET status = 3, attempt = attempt + 1, tries = tries + 1, lease_owner = ?, run_after = ?, "         \
    "reason = NULL, verdict = 0, posted_mtime_ns = 0 WHERE status = 0 AND id IN (" ids ")"

/* The rows are locked by the SELECT before, or this is the only writer. */
static int claim_take(struct op *op, const struct store_claim *m, struct image *due, int count)
{
    struct db_statement *s = db_query(op->db, count == 64 ? TAKE(ID64) : count == 8 ? TAKE(ID8) : TAKE(ONE));
    int64_t ids[64];
    int result;

    db_bind_text(op->db, s, 1, m->owner);
    op->d->bind_int(s, 2, op->now_ms + m->lease_ms);
    for (int i = 0; i < count; i++)
        op->d->bind_int(s, i + 3, ids[i] = due[i].id);
    if ((result = db_finish(op->db, s)) < 0)
        return result;
    if (op->d->changes(op->db) != count)
        return DB_ERROR;
    for (int i = 0; i < count; i++) {
        op_moved(op, IMAGE_PENDING, due[i].verdict, IMAGE_PROCESSING, VERDICT_NONE);
        due[i].verdict = VERDICT_NONE;
        due[i].status = IMAGE_PROCESSING;
        due[i].attempt++;
        due[i].tries++;
    }
    return op_events(op, EVENT_IMAGE, ids, count);
}

static int claim_find_due(struct op *op, const struct store_claim *m, struct image *due)
{
    struct db_statement *s =
        db_query(op->db, "SELECT " IMAGE_OWN_COLUMNS " FROM images i WHERE i.status = 0 AND i.run_after <= ? ORDER BY "
                         "i.run_after, i.id LIMIT ?{| FOR UPDATE SKIP LOCKED}");

    op->d->bind_int(s, 1, op->now_ms);
    op->d->bind_int(s, 2, m->max);
    return op_image_rows(op, s, due, m->max);
}

static int claim_find_named(struct op *op, const struct store_claim *m, struct image *due)
{
    int count = 0, result = 0;

    for (int at = 0; at < m->id_count && count < m->max && result >= 0; at += 64) {
        struct db_statement *s =
            db_query(op->db, "SELECT " IMAGE_OWN_COLUMNS " FROM images i WHERE i.id IN (" ID64 ") AND i.status = 0 AND "
                             "i.run_after <= ?{| FOR UPDATE SKIP LOCKED}");

        for (int i = 0; i < 64; i++)
            op->d->bind_int(s, i + 1, at + i < m->id_count ? m->ids[at + i] : 0);
        op->d->bind_int(s, 65, op->now_ms);
        if ((result = op_image_rows(op, s, due + count, m->max - count)) > 0)
            count += result;
    }
    return result < 0 ? result : count;
}

/* The rows that this claim took when its COMMIT was not answered. */
static int claim_find_taken(struct op *op, const struct store_claim *m, struct image *due)
{
    struct db_statement *s =
        db_query(op->db, "SELECT " IMAGE_OWN_COLUMNS " FROM images i WHERE i.status = 3 AND i.lease_owner = ? LIMIT ?");

    db_bind_text(op->db, s, 1, m->owner);
    op->d->bind_int(s, 2, m->max);
    return op_image_rows(op, s, due, m->max);
}

int op_claim(struct op *op, const struct msg *msg)
{
    const struct store_claim *m = (const struct store_claim *)msg;
    struct image *due = arena_alloc(op->arena, (size_t)m->max * sizeof *due + 1);
    int count = op->outcome_unknown ? claim_find_taken(op, m, due) : 0, result = 0;

    op->reply->images = due;
    if (!m->ids && (result = op_adopt_images(op)) < 0)
        return result;
    if (count > 0) {
        op->reply->image_count = count;
        return 0;
    }
    if (count == 0)
        count = m->ids ? claim_find_named(op, m, due) : claim_find_due(op, m, due);
    for (int at = 0, n; at < count && result >= 0; at += n) {
        n = count - at >= 64 ? 64 : count - at >= 8 ? 8 : 1;
        result = claim_take(op, m, due + at, n);
    }
    if (count < 0 || result < 0)
        return count < 0 ? count : result;
    op->reply->image_count = count;
    op->reply->more = !m->ids && count == m->max;
    return 0;
}

int op_renew(struct op *op, const struct msg *msg)
{
    const struct store_renew *m = (const struct store_renew *)msg;

    for (int i = 0; i < m->count; i++) {
        struct db_statement *s =
            db_query(op->db, "UPDATE images SET run_after = ? WHERE id = ? AND status = 3 AND attempt = ?");

        op->d->bind_int(s, 1, op->now_ms + m->lease_ms);
        op->d->bind_int(s, 2, m->ids[i]);
        op->d->bind_int(s, 3, m->attempts[i]);
        if (db_finish(op->db, s) < 0)
            return DB_ERROR;
        op->reply->changed += op->d->changes(op->db);
    }
    return 0;
}
