/* Rows of images as structs, and the judgement of an image by its faces. */
#include "core/store/store_internal.h"

void op_image_row(struct op *op, struct db_statement *s, struct image *image)
{
    const struct db_driver *d = op->d;

    image->id = d->column_int(s, 0);
    image->path = op_path(op, s, 1);
    image->person = d->column_int(s, 2);
    image->status = (int)d->column_int(s, 3);
    image->verdict = (int)d->column_int(s, 4);
    image->reason = op_text(op, s, 5);
    image->sha256 = op_text(op, s, 6);
    image->attempt = d->column_int(s, 7);
    image->tries = d->column_int(s, 8);
    image->crashes = d->column_int(s, 9);
    image->created_ms = d->column_int(s, 10);
    image->finished_ms = d->column_int(s, 11);
    image->spooled = d->column_int(s, 12) != 0;
    image->person_name = op_text(op, s, 13);
    image->trace = op_text(op, s, 14);
    image->cure = (int)d->column_int(s, 15);
    image->partial = d->column_int(s, 16) != 0;
    image->file = (struct file_stamp){d->column_int(s, 17), d->column_int(s, 18)};
    image->posted = (struct file_stamp){d->column_int(s, 19), d->column_int(s, 20)};
    image->filename = op_text(op, s, 21);
}

int op_image_rows(struct op *op, struct db_statement *s, struct image *rows, int max)
{
    int count = 0, result = DB_DONE;

    while (count < max && (result = db_step(op->db, s)) == DB_ROW)
        op_image_row(op, s, &rows[count++]);
    op->d->reset(s);
    return result < 0 ? result : count;
}

int op_load_image(struct op *op, int64_t id, struct image *image)
{
    struct db_statement *s =
        db_query(op->db, "SELECT " IMAGE_COLUMNS " FROM images i LEFT JOIN person p ON p.id = i.person WHERE i.id = ?");
    int result;

    op->d->bind_int(s, 1, id);
    result = db_step(op->db, s);
    if (result == DB_ROW)
        op_image_row(op, s, image);
    op->d->reset(s);
    if (result == DB_ROW)
        return op_load_faces(op, image) < 0 ? DB_ERROR : 1;
    return result;
}

void op_status_of_verdict(int verdict, int *status, int64_t *run_after, const char **reason)
{
    *status = verdict == VERDICT_KNOWN ? IMAGE_PROCESSED : verdict == VERDICT_UNKNOWN ? IMAGE_PENDING : IMAGE_FAILED;
    *run_after = verdict == VERDICT_UNKNOWN ? RUN_NEVER : 0;
    *reason = verdict == VERDICT_NO_FACE ? "no face found" : NULL;
}

/* The person of the most similar face; `verdict`: without a face, or with faces that are none, it is VERDICT_NO_FACE. A
 * face that a client named has similarity 1. */
static int rows_judge_faces(struct op *op, int64_t image, int64_t *person, int *verdict)
{
    struct db_statement *s = db_query(op->db, "SELECT person FROM faces WHERE image_id = ? AND word <> ? ORDER BY CASE "
                                              "WHEN person > 0 THEN 0 ELSE 1 END, similarity DESC, id LIMIT 1");
    int result;

    *person = PERSON_UNKNOWN;
    *verdict = VERDICT_NO_FACE;
    op->d->bind_int(s, 1, image);
    op->d->bind_int(s, 2, WORD_NOT_A_FACE);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        bool known = op->d->column_int(s, 0) > 0;

        *verdict = known ? VERDICT_KNOWN : VERDICT_UNKNOWN;
        if (known)
            *person = op->d->column_int(s, 0);
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}

static int rows_write_judgement(struct op *op, int64_t image, int64_t person, int verdict, int *status)
{
    struct db_statement *s = db_query(op->db, "UPDATE images SET status = ?, verdict = ?, person = ?, run_after = ?, "
                                              "finished_at = ?, reason = ? WHERE id = ?");
    const char *reason;
    int64_t run_after;

    op_status_of_verdict(verdict, status, &run_after, &reason);
    op->d->bind_int(s, 1, *status);
    op->d->bind_int(s, 2, verdict);
    op->d->bind_int(s, 3, person);
    op->d->bind_int(s, 4, run_after);
    op->d->bind_int(s, 5, op->now_ms);
    db_bind_text(op->db, s, 6, reason);
    op->d->bind_int(s, 7, image);
    return db_finish(op->db, s);
}

int op_judge_image(struct op *op, int64_t image)
{
    struct db_statement *s;
    int64_t person;
    int verdict, status, judged, judged_status, result = rows_judge_faces(op, image, &person, &judged);

    if (result < 0)
        return result;
    s = db_query(op->db, "SELECT status, verdict FROM images WHERE id = ?");
    op->d->bind_int(s, 1, image);
    result = db_step(op->db, s);
    status = result == DB_ROW ? (int)op->d->column_int(s, 0) : -1;
    verdict = result == DB_ROW ? (int)op->d->column_int(s, 1) : VERDICT_NONE;
    op->d->reset(s);
    /* An image that waits or is in processing is judged at the end of its run. */
    if (result != DB_ROW || verdict == VERDICT_NONE || status == IMAGE_PROCESSING ||
        (status == IMAGE_FAILED && verdict != VERDICT_NO_FACE))
        return result < 0 ? result : 0;
    if ((result = rows_write_judgement(op, image, person, judged, &judged_status)) < 0)
        return result;
    op_moved(op, status, verdict, judged_status, judged);
    if (op_doubt_image(op, image) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_IMAGE, image, 0);
}
