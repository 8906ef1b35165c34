/* Which names are in doubt, and the images for review.
 *
 * A name that a gallery gave is judged when it is stored, and again when the second person merges or is deleted, or a
 * word says that the face is not that person. A name that a word gave is in no doubt. The table `doubts` has the
 * processed images with such a face; each change of it is counted. */
#include "core/store/ops/words/words_internal.h"

#include <assert.h>

static_assert(IMAGE_PROCESSED == 1 && VERDICT_KNOWN == 1, "numbers in the statements below");

/* --- faces --- */

/* The person of a candidate as of now; 0: there is none any more. */
static int doubt_person_now(struct op *op, const struct doubt_change *change, int64_t *person)
{
    if (*person != change->person && op_person_now(op, person) < 0)
        return DB_ERROR;
    if (*person == change->person) /* also one who was merged into that person before */
        *person = change->now;
    return 0;
}

/* Whether the template still is the person's. One that a merge has parked is (person_id 0). */
static int doubt_template_exists(struct op *op, int64_t template, int64_t person)
{
    struct db_statement *s = db_query(op->db, "SELECT 1 FROM templates WHERE id = ? AND person_id IN (?, 0)");
    int result;

    op->d->bind_int(s, 1, template);
    op->d->bind_int(s, 2, person);
    result = db_step(op->db, s);
    op->d->reset(s);
    return result;
}

/* The person of a candidate who may be the second one of the face, or 0. */
static int doubt_find_rival(struct op *op, const struct blocked *blocked, const struct doubt_change *change,
                            const struct face *f, const struct candidate *c, int64_t *rival)
{
    int64_t person = c->person;
    int there = DB_ROW;

    *rival = 0;
    if (person == f->person || !doubt_is_rival(&op->doubt, f, c))
        return 0;
    if (doubt_person_now(op, change, &person) < 0)
        return DB_ERROR;
    if (!person || person == f->person || words_blocks(blocked, person))
        return 0;
    if (c->template > 0 && (there = doubt_template_exists(op, c->template, person)) < 0)
        return DB_ERROR;
    *rival = there == DB_ROW ? person : 0;
    return 0;
}

int words_doubt(struct op *op, const struct blocked *blocked, const struct doubt_change *change, struct face *f)
{
    f->doubt = doubt_of_face(&op->doubt, f);
    f->rival = 0;
    for (int i = 0; i < f->candidate_count && !f->rival; i++)
        if (doubt_find_rival(op, blocked, change, f, &f->candidates[i], &f->rival) < 0)
            return DB_ERROR;
    f->doubt |= f->rival ? DOUBT_SMALL_MARGIN : 0;
    return 0;
}

struct doubt_stored { /* what is stored of a face */
    struct face face;
    int doubt;
    int64_t rival;
};

/* DB_ROW, DB_DONE: there is no such face, or negative. */
static int doubt_read_face(struct op *op, int64_t id, struct doubt_stored *stored)
{
    struct db_statement *s =
        db_query(op->db, "SELECT image_id, person, similarity, quality, width, place, candidates, doubt, rival, "
                         "word FROM faces WHERE id = ?");
    const char *candidates = NULL;
    int result;

    op->d->bind_int(s, 1, id);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        stored->face = (struct face){.id = id,
                                     .image = op->d->column_int(s, 0),
                                     .person = op->d->column_int(s, 1),
                                     .similarity = op->d->column_real(s, 2),
                                     .quality = (float)op->d->column_real(s, 3),
                                     .width = (float)op->d->column_real(s, 4),
                                     .place = op->d->column_int(s, 5)};
        candidates = op_text(op, s, 6);
        stored->doubt = (int)op->d->column_int(s, 7);
        stored->rival = op->d->column_int(s, 8);
        stored->face.word = (int)op->d->column_int(s, 9);
    }
    op->d->reset(s);
    if (candidates) {
        struct candidate *list;

        stored->face.candidate_count = op_read_candidates(op, candidates, &list);
        stored->face.candidates = list;
    }
    return result;
}

int words_doubt_again(struct op *op, int64_t face, const struct doubt_change *change)
{
    struct doubt_stored stored = {.doubt = 0};
    struct blocked blocked = {.count = 0};
    struct db_statement *s;
    int result = doubt_read_face(op, face, &stored);

    if (result != DB_ROW)
        return result;
    if (words_read_blocked(op, stored.face.place, &blocked) < 0 || words_doubt(op, &blocked, change, &stored.face) < 0)
        return DB_ERROR;
    if (stored.face.doubt == stored.doubt && stored.face.rival == stored.rival)
        return 0;
    s = db_query(op->db, "UPDATE faces SET doubt = ?, rival = ? WHERE id = ?");
    op->d->bind_int(s, 1, stored.face.doubt);
    op->d->bind_int(s, 2, stored.face.rival);
    op->d->bind_int(s, 3, face);
    return db_finish(op->db, s) < 0 ? DB_ERROR : 1;
}

int words_doubt_tell(struct op *op, int64_t face, int64_t image, const struct doubt_change *change)
{
    int changed = words_doubt_again(op, face, change);

    if (changed <= 0)
        return changed;
    if (op_doubt_image(op, image) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_IMAGE, image, 0);
}

/* A batch of the faces after `after` with this second person. */
static int doubt_judge_rivals(struct op *op, int64_t person, int64_t after, const struct doubt_change *change,
                              int64_t *faces)
{
    struct db_statement *s = db_query(
        op->db, "SELECT id, image_id FROM faces WHERE rival = ? AND rival > 0 AND id > ? ORDER BY id LIMIT 500");
    int64_t images[DOUBT_BATCH];
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, person);
    op->d->bind_int(s, 2, after);
    for (; count < DOUBT_BATCH && (result = db_step(op->db, s)) == DB_ROW; count++) {
        faces[count] = op->d->column_int(s, 0);
        images[count] = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0; i++)
        result = words_doubt_tell(op, faces[i], images[i], change);
    return result < 0 ? result : count;
}

int words_doubt_rivals(struct op *op, const struct doubt_change *change, int64_t *faces)
{
    return doubt_judge_rivals(op, change->person, 0, change, faces);
}

int op_delete_unused_template(struct op *op, int64_t template, int64_t person)
{
    enum { BATCHES = 20 }; /* faces beyond them are judged when they are decided again */
    int64_t faces[DOUBT_BATCH], after = 0;
    int count = DOUBT_BATCH;

    if (op_run_with_id(op, "DELETE FROM templates WHERE id = ?", template) < 0)
        return DB_ERROR;
    for (int i = 0; i < BATCHES && count == DOUBT_BATCH; i++) {
        count = doubt_judge_rivals(op, person, after, &(struct doubt_change){.person = 0}, faces);
        after = count > 0 ? faces[count - 1] : 0;
    }
    return count < 0 ? count : 0;
}

/* --- images --- */

/* The person of an image for review, or 0. The row is locked: another transaction may judge another face of it. */
static int doubt_read_image(struct op *op, int64_t image, int64_t *person)
{
    struct db_statement *s =
        db_query(op->db, "SELECT person FROM images WHERE id = ? AND status = 1 AND verdict = 1{| FOR UPDATE}");
    int result;

    *person = 0;
    op->d->bind_int(s, 1, image);
    if ((result = db_step(op->db, s)) == DB_ROW)
        *person = op->d->column_int(s, 0);
    op->d->reset(s);
    if (result != DB_ROW || *person <= 0)
        return result < 0 ? result : 0;
    s = db_query(op->db, "SELECT 1 FROM faces WHERE image_id = ? AND doubt > 0 LIMIT 1");
    op->d->bind_int(s, 1, image);
    if ((result = db_step(op->db, s)) != DB_ROW)
        *person = 0;
    op->d->reset(s);
    return result < 0 ? result : 0;
}

int op_doubt_forget(struct op *op, int64_t image)
{
    if (op_run_with_id(op, "DELETE FROM doubts WHERE image_id = ?", image) < 0)
        return DB_ERROR;
    op->counts.review -= op->d->changes(op->db);
    return 0;
}

int op_doubt_image(struct op *op, int64_t image)
{
    struct db_statement *s;
    int64_t person, before = 0;
    int result = doubt_read_image(op, image, &person);

    if (result < 0)
        return result;
    if (!person)
        return op_doubt_forget(op, image);
    s = db_query(op->db, "SELECT person FROM doubts WHERE image_id = ?");
    op->d->bind_int(s, 1, image);
    if ((result = db_step(op->db, s)) == DB_ROW)
        before = op->d->column_int(s, 0);
    op->d->reset(s);
    if (result < 0 || person == before)
        return result < 0 ? result : 0;
    s = db_query(op->db, "REPLACE INTO doubts(image_id, person) VALUES(?, ?)");
    op->d->bind_int(s, 1, image);
    op->d->bind_int(s, 2, person);
    op->counts.review += before == 0;
    return db_finish(op->db, s);
}
