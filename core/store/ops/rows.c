/* Rows of images and faces as structs, and the judgement of an image by its faces. */
#include "core/store/store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    image->file = (struct file_stamp){d->column_int(s, 16), d->column_int(s, 17)};
    image->posted = (struct file_stamp){d->column_int(s, 18), d->column_int(s, 19)};
    image->filename = op_text(op, s, 20);
}

int op_image_rows(struct op *op, struct db_statement *s, struct image *rows, int max)
{
    int count = 0, result = DB_DONE;

    while (count < max && (result = db_step(op->db, s)) == DB_ROW)
        op_image_row(op, s, &rows[count++]);
    op->d->reset(s);
    return result < 0 ? result : count;
}

static const char *rows_read_candidate_name(struct op *op, int64_t id)
{
    struct db_statement *s = db_query(op->db, "SELECT name FROM person WHERE id = ?");
    const char *name = NULL;

    op->d->bind_int(s, 1, id);
    if (db_step(op->db, s) == DB_ROW)
        name = op_text(op, s, 0);
    op->d->reset(s);
    return name;
}

/* Candidates are stored as "person distance similarity template;" each; names are read when they are used, because a
 * person may be renamed. */
static void rows_parse_candidates(struct op *op, struct face *face, const char *text)
{
    struct candidate *list;
    int max = 0;

    for (const char *c = text; *c; c++)
        max += *c == ';';
    list = arena_alloc(op->arena, (size_t)max * sizeof *list + 1);
    while (*text && face->candidate_count < max) {
        struct candidate *c = &list[face->candidate_count];
        char *end;

        c->person = strtoll(text, &end, 10);
        c->distance = strtod(end, &end);
        c->similarity = strtod(end, &end);
        c->template = strtoll(end, &end, 10); /* 0 where an older version has written it */
        c->name = rows_read_candidate_name(op, c->person);
        if (c->name) /* NULL: the person was deleted */
            face->candidate_count++;
        text = end + strcspn(end, ";");
        text += *text == ';';
    }
    face->candidates = list;
}

char *op_candidates_text(struct op *op, const struct candidate *c, int count)
{
    enum { CANDIDATE_BYTES = 96 };
    char *text = arena_alloc(op->arena, (size_t)count * CANDIDATE_BYTES + 1);
    size_t n = 0;

    for (int i = 0; i < count; i++)
        n += (size_t)snprintf(text + n, CANDIDATE_BYTES, "%lld %.6g %.6g %lld;", (long long)c[i].person, c[i].distance,
                              c[i].similarity, (long long)c[i].template);
    return text;
}

void op_face_row(struct op *op, struct db_statement *s, struct face *face)
{
    const struct db_driver *d = op->d;
    const char *candidates;
    const void *blob;
    size_t len;

    face->id = d->column_int(s, 0);
    face->image = d->column_int(s, 1);
    face->x = (float)d->column_real(s, 2);
    face->y = (float)d->column_real(s, 3);
    face->width = (float)d->column_real(s, 4);
    face->height = (float)d->column_real(s, 5);
    if ((blob = d->column_blob(s, 6, &len))) {
        face->landmark_count = (int)(len / (2 * sizeof(float)));
        face->landmarks = (const float *)(const void *)arena_copy(op->arena, blob, len);
    }
    face->quality = (float)d->column_real(s, 7);
    face->model = op_text(op, s, 8);
    if ((blob = d->column_blob(s, 9, &len))) {
        face->dimension = (int)(len / sizeof(float));
        face->embedding = (const float *)(const void *)arena_copy(op->arena, blob, len);
    }
    face->person = d->column_int(s, 10);
    face->distance = d->column_real(s, 11);
    face->similarity = d->column_real(s, 12);
    candidates = op_text(op, s, 13);
    face->person_name = op_text(op, s, 14);
    face->unknown_person = d->column_int(s, 15);
    face->decision = decision_read(op_text(op, s, 16));
    face->template = d->column_int(s, 17);
    face->word = (int)d->column_int(s, 18);
    face->place = d->column_int(s, 19);
    face->label = op_text(op, s, 20);
    if (candidates)
        rows_parse_candidates(op, face, candidates);
}

int op_load_faces(struct op *op, struct image *image)
{
    struct db_statement *s = db_query(op->db, "SELECT " FACE_COLUMNS " FROM faces f LEFT JOIN person p ON p.id = "
                                              "f.person WHERE f.image_id = ? ORDER BY f.word = 3, f.id");
    int capacity = 0, result;

    op->d->bind_int(s, 1, image->id);
    image->face_count = 0;
    while ((result = db_step(op->db, s)) == DB_ROW) {
        if (image->face_count == capacity) {
            struct face *more = arena_alloc(op->arena, (size_t)(capacity = capacity ? capacity * 2 : 2) * sizeof *more);

            if (image->face_count)
                memcpy(more, image->faces, (size_t)image->face_count * sizeof *more);
            image->faces = more;
        }
        op_face_row(op, s, &image->faces[image->face_count++]);
    }
    op->d->reset(s);
    return result < 0 ? result : op_words_load(op, image);
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
    return op_event(op, EVENT_IMAGE, image, 0);
}
