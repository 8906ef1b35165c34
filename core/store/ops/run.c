/* One run of an image: claim, renew, finish; and what happens to runs nobody finishes. The compare-and-set on
 * (status, attempt) is the fence: no statement here changes a row that belongs to another run. `run_after` of a row
 * that is being processed is when its lease ends: due again, by the same index as what waits. */
#include "core/store/store_internal.h"

#include <string.h>

#define ONE  "?"
#define ID8  "?, ?, ?, ?, ?, ?, ?, ?"
#define ID64 ID8 ", " ID8 ", " ID8 ", " ID8 ", " ID8 ", " ID8 ", " ID8 ", " ID8
#define TAKE(ids)                                                                                                      \
    "UPDATE images SET status = 3, attempt = attempt + 1, tries = tries + 1, lease_owner = ?, run_after = ?, "         \
    "reason = NULL WHERE status = 0 AND id IN (" ids ")"

/* The rows are ours to change: locked by the select before, or by being the only writer. */
static int take(struct op *op, const struct store_claim *m, struct image *due, int count)
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
        op_moved(op, IMAGE_PENDING, due[i].verdict, IMAGE_PROCESSING, due[i].verdict);
        due[i].status = IMAGE_PROCESSING;
        due[i].attempt++;
        due[i].tries++;
    }
    return op_events(op, EVENT_IMAGE, ids, count);
}

static int read_rows(struct op *op, struct db_statement *s, struct image *rows, int max)
{
    int count = 0, result = DB_DONE;

    while (count < max && (result = db_step(op->db, s)) == DB_ROW)
        op_image_row(op, s, &rows[count++]);
    op->d->reset(s);
    return result < 0 ? result : count;
}

static int find_due(struct op *op, const struct store_claim *m, struct image *due)
{
    struct db_statement *s =
        db_query(op->db, "SELECT " IMAGE_OWN_COLUMNS " FROM images i WHERE i.status = 0 AND i.run_after <= ? ORDER BY "
                         "i.run_after, i.id LIMIT ?{| FOR UPDATE SKIP LOCKED}");

    op->d->bind_int(s, 1, op->now_ms);
    op->d->bind_int(s, 2, m->max);
    return read_rows(op, s, due, m->max);
}

static int find_these(struct op *op, const struct store_claim *m, struct image *due)
{
    int count = 0, result = 0;

    for (int at = 0; at < m->id_count && count < m->max && result >= 0; at += 64) {
        struct db_statement *s =
            db_query(op->db, "SELECT " IMAGE_OWN_COLUMNS " FROM images i WHERE i.id IN (" ID64 ") AND i.status = 0 AND "
                             "i.run_after <= ?{| FOR UPDATE SKIP LOCKED}");

        for (int i = 0; i < 64; i++)
            op->d->bind_int(s, i + 1, at + i < m->id_count ? m->ids[at + i] : 0);
        op->d->bind_int(s, 65, op->now_ms);
        if ((result = read_rows(op, s, due + count, m->max - count)) > 0)
            count += result;
    }
    return result < 0 ? result : count;
}

/* What the claim took before its answer was lost. */
static int find_taken(struct op *op, const struct store_claim *m, struct image *due)
{
    struct db_statement *s =
        db_query(op->db, "SELECT " IMAGE_OWN_COLUMNS " FROM images i WHERE i.status = 3 AND i.lease_owner = ? LIMIT ?");

    db_bind_text(op->db, s, 1, m->owner);
    op->d->bind_int(s, 2, m->max);
    return read_rows(op, s, due, m->max);
}

int op_claim(struct op *op, const struct msg *msg)
{
    const struct store_claim *m = (const struct store_claim *)msg;
    struct image *due = arena_alloc(op->arena, (size_t)m->max * sizeof *due + 1);
    int count = op->again ? find_taken(op, m, due) : 0, result = 0;

    op->reply->images = due;
    if (count > 0) {
        op->reply->image_count = count;
        return 0;
    }
    if (count == 0)
        count = m->ids ? find_these(op, m, due) : find_due(op, m, due);
    for (int at = 0, n; at < count && result >= 0; at += n) {
        n = count - at >= 64 ? 64 : count - at >= 8 ? 8 : 1;
        result = take(op, m, due + at, n);
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

struct ending {
    int status, verdict;
    int64_t person, run_after, finished_at;
    int64_t tries_back, crashes; /* tries_back: 1 gives a try back */
    const char *reason;
};

static struct ending ending_of(const struct op *op, const struct store_finish *m, const struct image *before)
{
    struct ending e = {
        .status = IMAGE_FAILED, .person = PERSON_UNKNOWN, .finished_at = op->now_ms, .reason = m->reason};

    switch (m->outcome) {
    case OUTCOME_FAILED:
        break;
    case OUTCOME_RELEASE:
        e = (struct ending){.person = before->person,
                            .verdict = before->verdict,
                            .run_after = op->now_ms + m->delay_ms,
                            .tries_back = 1};
        break;
    case OUTCOME_RETRY:
        e.crashes = m->crashed;
        if (m->crashed && before->crashes + 1 >= m->max_crashes) {
            e.reason = "poison";
        } else if (before->tries < m->max_tries) {
            e.status = IMAGE_PENDING;
            e.run_after = op->now_ms + m->delay_ms;
            e.finished_at = 0;
        }
        break;
    case OUTCOME_FACES: {
        const struct face *best = NULL;

        for (int i = 0; i < m->face_count; i++)
            if (m->faces[i].person > 0 && (!best || m->faces[i].similarity > best->similarity))
                best = &m->faces[i];
        e.status = best ? IMAGE_PROCESSED : IMAGE_PENDING;
        e.verdict = best ? VERDICT_KNOWN : VERDICT_UNKNOWN;
        e.person = best ? best->person : PERSON_UNKNOWN;
        e.run_after = best ? 0 : RUN_NEVER;
        e.reason = NULL;
    }
    }
    return e;
}

static int write_ending(struct op *op, const struct image *before, const struct ending *e, const char *sha256)
{
    struct db_statement *s = db_query(
        op->db,
        "UPDATE images SET status = ?, verdict = ?, person = ?, run_after = ?, finished_at = ?, tries = tries - "
        "?, crashes = crashes + ?, reason = ?, sha256 = COALESCE(?, sha256), lease_owner = NULL "
        "WHERE id = ? AND status = 3 AND attempt = ?");
    int result;

    op->d->bind_int(s, 1, e->status);
    op->d->bind_int(s, 2, e->verdict);
    op->d->bind_int(s, 3, e->person);
    op->d->bind_int(s, 4, e->run_after);
    op->d->bind_int(s, 5, e->finished_at);
    op->d->bind_int(s, 6, e->tries_back);
    op->d->bind_int(s, 7, e->crashes);
    op_bind_text(op, s, 8, e->reason, 0);
    db_bind_text(op->db, s, 9, sha256);
    op->d->bind_int(s, 10, before->id);
    op->d->bind_int(s, 11, before->attempt);
    if ((result = db_finish(op->db, s)) < 0)
        return result;
    op->reply->changed = op->d->changes(op->db);
    if (op->reply->changed == 0)
        return 0;
    op_moved(op, IMAGE_PROCESSING, before->verdict, e->status, e->verdict);
    return op_event(op, EVENT_IMAGE, before->id, 0);
}

/* The row alone, locked to the end of the transaction. 1, 0 or negative. */
static int read_run(struct op *op, int64_t id, struct image *image)
{
    struct db_statement *s =
        db_query(op->db, "SELECT " IMAGE_OWN_COLUMNS " FROM images i WHERE i.id = ?{| FOR UPDATE}");

    op->d->bind_int(s, 1, id);
    return read_rows(op, s, image, 1);
}

/* The image as it is now, without another look at it; its person has no name here. */
static void apply_ending(struct image *image, const struct ending *e)
{
    image->status = e->status;
    image->verdict = e->verdict;
    image->person = e->person;
    image->reason = e->reason;
    image->finished_ms = e->finished_at;
    image->tries -= e->tries_back;
    image->crashes += e->crashes;
}

int op_finish(struct op *op, const struct msg *msg)
{
    const struct store_finish *m = (const struct store_finish *)msg;
    struct image *before = arena_alloc(op->arena, sizeof *before);
    struct ending ending;
    bool same_bytes, named = false;
    int result = read_run(op, m->id, before);

    if (result < 0)
        return result;
    op->reply->images = before;
    if (result == 1 && op->again && before->attempt == m->attempt && before->status != IMAGE_PROCESSING) {
        op->reply->changed = op->reply->image_count = 1; /* it was in: only its answer was lost */
        return 0;
    }
    if (result == 0 || before->status != IMAGE_PROCESSING || before->attempt != m->attempt)
        return 0; /* another run's, or deleted meanwhile: changed stays 0 */
    same_bytes = !m->sha256 || !before->sha256 || strcmp(m->sha256, before->sha256) == 0;
    ending = ending_of(op, m, before);
    if ((result = write_ending(op, before, &ending, m->sha256)) < 0 || op->reply->changed == 0)
        return result;
    if (m->outcome == OUTCOME_FACES || m->outcome == OUTCOME_FAILED)
        if ((result = op_replace_faces(op, m, same_bytes, &named)) < 0)
            return result;
    ending.reason = arena_text(op->arena, ending.reason); /* the message may go before the reply */
    apply_ending(before, &ending);
    if (named && m->outcome == OUTCOME_FACES) /* the name decides the image, too */
        if ((result = op_judge_image(op, m->id)) < 0 || (result = read_run(op, m->id, before)) < 0)
            return result;
    op->reply->image_count = 1;
    return 0;
}

int op_reap(struct op *op, const struct msg *msg)
{
    enum { BATCH = 256 };
    const struct store_reap *m = (const struct store_reap *)msg;
    struct db_statement *s =
        m->not_owner ? db_query(op->db, "SELECT id, attempt FROM images WHERE status = 3 AND SUBSTR(COALESCE("
                                        "lease_owner, ''), 1, ?) <> ? AND SUBSTR(COALESCE(lease_owner, ''), 1, ?) = ? "
                                        "ORDER BY id LIMIT 256{| FOR UPDATE SKIP LOCKED}")
                     : db_query(op->db, "SELECT id, attempt FROM images WHERE status = 3 AND run_after < ? LIMIT "
                                        "256{| FOR UPDATE SKIP LOCKED}");
    const char *node = op->d->dialect == DIALECT_SQLITE || !m->node ? "" : m->node;
    int64_t ids[BATCH], attempts[BATCH];
    int count = 0, result = 0;

    if (m->not_owner) {
        op->d->bind_int(s, 1, (int64_t)strlen(m->not_owner));
        db_bind_text(op->db, s, 2, m->not_owner);
        op->d->bind_int(s, 3, (int64_t)strlen(node));
        db_bind_text(op->db, s, 4, node);
    } else {
        op->d->bind_int(s, 1, op->now_ms);
    }
    for (; count < BATCH && (result = db_step(op->db, s)) == DB_ROW; count++) {
        ids[count] = op->d->column_int(s, 0);
        attempts[count] = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    if (result < 0)
        return result;
    for (int i = 0; i < count && result >= 0; i++) {
        /* A process that died with it may have died of it: it counts as a try, not as a crash of a worker. */
        struct store_finish f = {.id = ids[i],
                                 .attempt = attempts[i],
                                 .outcome = OUTCOME_RETRY,
                                 .reason = "its lease ran out",
                                 .delay_ms = m->delay_ms,
                                 .max_tries = m->max_tries,
                                 .max_crashes = m->max_crashes};

        result = op_finish(op, &f.m.head);
    }
    op->reply->changed = count;
    op->reply->more = count == BATCH;
    op->reply->image_count = 0;
    return result;
}
