/* The end of a run, by its processor or by an expired lease. The compare-and-set on (status, attempt) is the fence: no
 * statement here changes a row of another run. `run_after` of an image in processing is the end of its lease, so the
 * same index finds due images and expired leases. */
#include "core/store/store_internal.h"

#include <string.h>

struct ending {
    int status, verdict;
    int64_t person, run_after, finished_at;
    int64_t tries_returned, crashes; /* tries_returned: 1 when this run does not count as a try */
    const char *reason;
};

static struct ending finish_compute(const struct op *op, const struct store_finish *m, const struct image *before)
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
                            .tries_returned = 1};
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

static int finish_write(struct op *op, const struct image *before, const struct ending *e, const char *sha256)
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
    op->d->bind_int(s, 6, e->tries_returned);
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

/* Reads the row without faces and locks it to the end of the transaction. 1: found, 0: not, or negative. */
static int finish_read_run(struct op *op, int64_t id, struct image *image)
{
    struct db_statement *s =
        db_query(op->db, "SELECT " IMAGE_OWN_COLUMNS " FROM images i WHERE i.id = ?{| FOR UPDATE}");

    op->d->bind_int(s, 1, id);
    return op_image_rows(op, s, image, 1);
}

/* Updates the struct as the row was updated; the person's name is not read. */
static void finish_apply(struct image *image, const struct ending *e)
{
    image->status = e->status;
    image->verdict = e->verdict;
    image->person = e->person;
    image->reason = e->reason;
    image->finished_ms = e->finished_at;
    image->tries -= e->tries_returned;
    image->crashes += e->crashes;
}

int op_finish(struct op *op, const struct msg *msg)
{
    const struct store_finish *m = (const struct store_finish *)msg;
    struct image *before = arena_alloc(op->arena, sizeof *before);
    struct ending ending;
    bool same_bytes, said = false;
    int result = finish_read_run(op, m->id, before);

    if (result < 0)
        return result;
    op->reply->images = before;
    if (result == 1 && op->outcome_unknown && before->attempt == m->attempt && before->status != IMAGE_PROCESSING) {
        op->reply->changed = op->reply->image_count = 1; /* stored before; only the answer was lost */
        return 0;
    }
    if (result == 0 || before->status != IMAGE_PROCESSING || before->attempt != m->attempt)
        return 0; /* a newer run has it, or it was deleted: `changed` is 0 */
    same_bytes = !m->sha256 || !before->sha256 || strcmp(m->sha256, before->sha256) == 0;
    ending = finish_compute(op, m, before);
    if ((result = finish_write(op, before, &ending, m->sha256)) < 0 || op->reply->changed == 0)
        return result;
    if (m->outcome == OUTCOME_FACES || m->outcome == OUTCOME_FAILED)
        if ((result = op_replace_faces(op, m, m->sha256 ? m->sha256 : before->sha256, same_bytes, &said)) < 0)
            return result;
    op->reply->changed = 1;                               /* the image: words have counted faces */
    ending.reason = arena_text(op->arena, ending.reason); /* the message may be freed before the reply */
    finish_apply(before, &ending);
    if (said && m->outcome == OUTCOME_FACES) /* words decide the image, too */
        if ((result = op_judge_image(op, m->id)) < 0 || (result = finish_read_run(op, m->id, before)) < 0)
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
    int count = 0, result = op_adopt_images(op);

    if (result < 0)
        return result;
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
        /* The image may have killed the process: it counts as a try, not as a crash of a worker. */
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
