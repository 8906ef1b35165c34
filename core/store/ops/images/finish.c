/* The end of a run, by its processor or by an expired lease. The compare-and-set on (status, attempt) is the fence: no
 * statement here changes a row of another run. `run_after` of an image in processing is the end of its lease, so the
 * same index finds due images and expired leases. */
#include "core/store/ops/images/finish_people.h"
#include "core/store/store_internal.h"

#include <string.h>

struct ending {
    int status, verdict;
    int cure;
    int64_t person, run_after, finished_at;
    int64_t tries_returned, crashes; /* tries_returned: 1 when this run does not count as a try */
    const char *reason;
    bool partial;
};

static struct ending finish_judge_faces(const struct op *op, const struct face *faces, int count)
{
    const struct face *best = NULL;
    struct ending e = {.person = PERSON_UNKNOWN, .finished_at = op->now_ms};

    for (int i = 0; i < count; i++)
        if (faces[i].person > 0 && (!best || faces[i].similarity > best->similarity))
            best = &faces[i];
    e.verdict = best ? VERDICT_KNOWN : count ? VERDICT_UNKNOWN : VERDICT_NO_FACE;
    if (best)
        e.person = best->person;
    op_status_of_verdict(e.verdict, &e.status, &e.run_after, &e.reason);
    return e;
}

static struct ending finish_compute(const struct op *op, const struct store_finish *m, const struct finished_run *run,
                                    const struct image *before)
{
    struct ending e = {
        .status = IMAGE_FAILED, .person = PERSON_UNKNOWN, .finished_at = op->now_ms, .reason = m->reason};

    switch (m->outcome) {
    case OUTCOME_FAILED:
        e.cure = m->gone ? CURE_FILE : CURE_NONE;
        break;
    case OUTCOME_RELEASE:
        e = (struct ending){.person = before->person,
                            .verdict = before->verdict,
                            .run_after = op->now_ms + m->delay_ms,
                            .tries_returned = 1,
                            .partial = before->partial};
        break;
    case OUTCOME_RETRY:
        e.crashes = m->crashed;
        if (m->crashed && before->crashes + 1 >= m->max_crashes) {
            e.reason = "poison";
        } else if (before->tries < m->max_tries) {
            e.status = IMAGE_PENDING;
            e.partial = before->partial;
            e.run_after = op->now_ms + m->delay_ms;
            e.finished_at = 0;
        } else {
            e.cure = CURE_RETRY;
        }
        break;
    case OUTCOME_FACES:
        e = finish_judge_faces(op, run->faces, run->face_count);
        e.partial = m->partial;
        break;
    }
    return e;
}

static int finish_write(struct op *op, const struct image *before, const struct ending *e, const char *sha256,
                        struct file_stamp file)
{
    struct db_statement *s = db_query(
        op->db,
        "UPDATE images SET status = ?, verdict = ?, person = ?, run_after = ?, finished_at = ?, tries = tries - "
        "?, crashes = crashes + ?, reason = ?, sha256 = COALESCE(?, sha256), lease_owner = NULL, retryable = ?, "
        "retry_pause = CASE WHEN ? THEN retry_pause ELSE 0 END, partial = ?, file_size = ?, file_mtime_ns = ? WHERE id "
        "= ? AND status = 3 AND attempt = ?");
    bool pause_stays = e->cure || (e->status == IMAGE_PENDING && e->verdict == VERDICT_NONE);
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
    op->d->bind_int(s, 10, e->cure);
    op->d->bind_int(s, 11, pause_stays);
    op->d->bind_int(s, 12, e->partial);
    op->d->bind_int(s, 13, file.size);
    op->d->bind_int(s, 14, file.mtime_ns);
    op->d->bind_int(s, 15, before->id);
    op->d->bind_int(s, 16, before->attempt);
    if ((result = db_finish(op->db, s)) < 0)
        return result;
    op->reply->changed = op->d->changes(op->db);
    if (op->reply->changed == 0)
        return 0;
    op_moved(op, IMAGE_PROCESSING, before->verdict, e->status, e->verdict);
    return op_event(op, EVENT_IMAGE, before->id, 0);
}

/* Reads the row without faces and locks it to the end of the transaction. `words`: people said something about faces of
 * the content `sha256`, NULL: of the run before. 1: found, 0: not, or negative. */
static int finish_read_run(struct op *op, int64_t id, const char *sha256, struct image *image, bool *words)
{
    struct db_statement *s = db_query(op->db, "SELECT " IMAGE_OWN_COLUMNS
                                              ", EXISTS(SELECT 1 FROM words w WHERE w.sha256 = COALESCE(?, i.sha256)) "
                                              "FROM images i WHERE i.id = ?{| FOR UPDATE}");
    int result;

    db_bind_text(op->db, s, 1, sha256);
    op->d->bind_int(s, 2, id);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        op_image_row(op, s, image);
        *words = op->d->column_int(s, IMAGE_COLUMN_COUNT) != 0;
    }
    op->d->reset(s);
    return result < 0 ? result : result == DB_ROW;
}

/* Updates the struct as the row was updated; the person's name is not read. */
static void finish_apply(struct image *image, const struct ending *e)
{
    image->status = e->status;
    image->verdict = e->verdict;
    image->cure = e->cure;
    image->partial = e->partial;
    image->person = e->person;
    image->reason = e->reason;
    image->finished_ms = e->finished_at;
    image->tries -= e->tries_returned;
    image->crashes += e->crashes;
}

/* The people of faces may have been merged or deleted since they were decided. The message stays as it is;
 * its head belongs to the loop thread and is not copied. */
static int finish_follow_people(struct op *op, const struct store_finish *m, struct finished_run *run)
{
    struct face *faces = arena_alloc(op->arena, (size_t)m->face_count * sizeof *faces + 1);
    bool *stale = arena_alloc(op->arena, (size_t)m->face_count + 1);

    if (m->face_count)
        memcpy(faces, m->faces, (size_t)m->face_count * sizeof *faces);
    run->faces = faces;
    run->face_count = m->face_count;
    run->stale = stale;
    return finish_people_follow(op, faces, m->face_count, stale);
}

/* Stores the faces. */
static int finish_replace_faces(struct op *op, const struct store_finish *m, const struct image *before,
                                struct finished_run *run, struct replaced *replaced)
{
    run->image = m->id;
    run->attempt = m->attempt;
    run->sha256 = m->sha256 ? m->sha256 : before->sha256;
    run->words |= !run->sha256; /* words belong to the image then */
    return op_replace_faces(op, run, replaced);
}

/* Judges what the ending does not: words decide the image, too, and names may be in doubt. */
static int finish_judge_stored(struct op *op, const struct store_finish *m, const struct replaced *replaced,
                               struct image *image)
{
    bool words;
    int result;

    if (!replaced->said || m->outcome != OUTCOME_FACES)
        return replaced->doubted || m->attempt > 1 ? op_doubt_image(op, m->id) : 0;
    result = op_judge_image(op, m->id);
    return result < 0 ? result : finish_read_run(op, m->id, m->sha256, image, &words);
}

/* The path was posted during the run, with another file than the run has read: the image waits for the next run. Its
 * result is stored all the same, so that a file that changes all the time does not keep the image from ever having one.
 */
static int finish_look_again(struct op *op, const struct store_finish *m, struct image *image)
{
    bool waits = image->status == IMAGE_PENDING && image->verdict == VERDICT_NONE;

    if (waits || !file_stamp_is_known(image->posted) || file_stamp_equal(image->posted, m->file))
        return 0;
    image->again = true;
    return op_requeue(op, image->id, image->status, image->verdict, 0);
}

int op_finish(struct op *op, const struct msg *msg)
{
    const struct store_finish *m = (const struct store_finish *)msg;
    struct finished_run run = {0};
    struct image *before = arena_alloc(op->arena, sizeof *before);
    struct ending ending;
    struct replaced replaced = {.said = false};
    int result = finish_read_run(op, m->id, m->sha256, before, &run.words);
    bool looked_at;

    if (result < 0)
        return result;
    op->reply->images = before;
    if (result == 1 && op->outcome_unknown && before->attempt == m->attempt && before->status != IMAGE_PROCESSING) {
        op->reply->changed = op->reply->image_count = 1; /* stored before; only the answer was lost */
        return 0;
    }
    if (result == 0 || before->status != IMAGE_PROCESSING || before->attempt != m->attempt)
        return 0; /* a newer run has it, or it was deleted: `changed` is 0 */
    if (finish_follow_people(op, m, &run) < 0)
        return DB_ERROR;
    run.same_bytes = !m->sha256 || !before->sha256 || strcmp(m->sha256, before->sha256) == 0;
    ending = finish_compute(op, m, &run, before);
    looked_at = m->outcome == OUTCOME_FACES || m->outcome == OUTCOME_FAILED;
    result = finish_write(op, before, &ending, m->sha256, looked_at ? m->file : before->file);
    if (result < 0 || op->reply->changed == 0)
        return result;
    if (!run.same_bytes && (result = op_erase(op, before->sha256, NULL)) < 0) /* thumbnails of the former content */
        return result;
    if (looked_at)
        if ((result = finish_replace_faces(op, m, before, &run, &replaced)) < 0)
            return result;
    ending.reason = arena_text(op->arena, ending.reason); /* the message may be freed before the reply */
    finish_apply(before, &ending);
    if ((result = finish_judge_stored(op, m, &replaced, before)) < 0)
        return result;
    if (finish_look_again(op, m, before) < 0)
        return DB_ERROR;
    op->reply->changed = op->reply->image_count = 1; /* the image: words and the requeue have counted, too */
    return 0;
}

/* The expired leases, or those of dead processes. The number of rows, or negative. */
static int finish_find_leases(struct op *op, const struct store_reap *m, struct image *rows, int max)
{
    struct db_statement *s =
        m->not_owner ? db_query(op->db, "SELECT id, attempt FROM images WHERE status = 3 AND SUBSTR(COALESCE("
                                        "lease_owner, ''), 1, ?) <> ? AND SUBSTR(COALESCE(lease_owner, ''), 1, ?) = ? "
                                        "AND id > ? ORDER BY id LIMIT ?{| FOR UPDATE SKIP LOCKED}")
                     : db_query(op->db, "SELECT id, attempt FROM images WHERE status = 3 AND run_after < ? AND id > ? "
                                        "ORDER BY id LIMIT ?{| FOR UPDATE SKIP LOCKED}");
    const char *node = op->d->dialect == DIALECT_SQLITE || !m->node ? "" : m->node;
    int count = 0, result = DB_DONE, at = 1;

    if (m->not_owner) {
        op->d->bind_int(s, at++, (int64_t)strlen(m->not_owner));
        db_bind_text(op->db, s, at++, m->not_owner);
        op->d->bind_int(s, at++, (int64_t)strlen(node));
        db_bind_text(op->db, s, at++, node);
    } else {
        op->d->bind_int(s, at++, op->now_ms);
    }
    op->d->bind_int(s, at++, m->after);
    op->d->bind_int(s, at, max);
    while (count < max && (result = db_step(op->db, s)) == DB_ROW) {
        rows[count].id = op->d->column_int(s, 0);
        rows[count++].attempt = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    return result < 0 ? result : count;
}

/* The image may have killed the process: it counts as a try, not as a crash of a worker. A row whose new values the
 * database refuses stays as it is and does not keep the others: 0, and it is counted in `skipped`. */
static int finish_reap(struct op *op, const struct store_reap *m, const struct image *row)
{
    const struct op before = *op;
    struct store_finish f = {.id = row->id,
                             .attempt = row->attempt,
                             .outcome = OUTCOME_RETRY,
                             .reason = "its lease ran out",
                             .delay_ms = m->delay_ms,
                             .max_tries = m->max_tries,
                             .max_crashes = m->max_crashes};
    int64_t changed = op->reply->changed;
    int result = db_run(op->db, "SAVEPOINT lease");

    if (result < 0)
        return result;
    result = op_finish(op, &f.m.head);
    if (op->db->failure != DB_INVALID) {
        op->reply->changed = changed + 1;
        return result < 0 ? result : db_run(op->db, "RELEASE SAVEPOINT lease");
    }
    *op = before;
    op->reply->changed = changed;
    op->reply->skipped_id = row->id;
    op->reply->skipped++;
    op->db->failure = 0; /* it is undone here */
    result = db_run(op->db, "ROLLBACK TO SAVEPOINT lease");
    return result < 0 ? result : db_run(op->db, "RELEASE SAVEPOINT lease");
}

int op_reap(struct op *op, const struct msg *msg)
{
    enum { BATCH = 256 };
    const struct store_reap *m = (const struct store_reap *)msg;
    struct image *rows = arena_alloc(op->arena, BATCH * sizeof *rows);
    int result = op_adopt_images(op), count;

    if (result < 0 || (result = count = finish_find_leases(op, m, rows, BATCH)) < 0)
        return result;
    for (int i = 0; i < count && result >= 0; i++)
        result = finish_reap(op, m, &rows[i]);
    op->reply->more = count == BATCH;
    op->reply->next = op->reply->more ? rows[count - 1].id : 0;
    op->reply->image_count = 0;
    return result;
}
