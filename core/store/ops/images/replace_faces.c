/* The faces of a finished run replace those of the run before. What a person said survives: a face that was named by
 * hand keeps its name, and it and a face with a counter-example keep their id, when the new run finds a face in the
 * same place of the same image. A face that was named by hand and not found again stays. */
#include "core/store/store_internal.h"

#include <string.h>

#define KEPT_OVERLAP 0.5 /* intersection over union from which two boxes are the same face */

enum { KEPT_MAX = 256 }; /* above the largest KITH_MAX_FACES */

struct kept_face { /* of the run before */
    int64_t id;
    double x, y, width, height;
    bool named; /* by hand */
    bool found; /* by the new run */
};

static void replace_bind_face(struct op *op, struct db_statement *s, const struct face *f)
{
    op->d->bind_real(s, 1, (double)f->x);
    op->d->bind_real(s, 2, (double)f->y);
    op->d->bind_real(s, 3, (double)f->width);
    op->d->bind_real(s, 4, (double)f->height);
    op->d->bind_blob(s, 5, f->landmarks, (size_t)f->landmark_count * 2 * sizeof(float), 0);
    op->d->bind_real(s, 6, (double)f->quality);
    op_bind_text(op, s, 7, f->model, MODEL_BYTES);
    op->d->bind_blob(s, 8, f->embedding, (size_t)f->dimension * sizeof(float), 0);
    db_bind_text(op->db, s, 9, op_candidates_text(op, f->candidates, f->candidate_count));
    op_bind_text(op, s, 10, f->label, PHOTO_NAME_BYTES);
}

static void replace_bind_decision(struct op *op, struct db_statement *s, const struct face *f)
{
    char decision[DECISION_BYTES];

    decision_write(&f->decision, decision);
    op->d->bind_int(s, 11, f->person);
    op->d->bind_real(s, 12, f->distance);
    op->d->bind_real(s, 13, f->similarity);
    /* The text is read when the statement runs. */
    db_bind_text(op->db, s, 14, f->decision.rule ? arena_text(op->arena, decision) : NULL);
    op->d->bind_int(s, 15, f->template);
}

static int replace_insert_face(struct op *op, int64_t image, const struct face *f)
{
    struct db_statement *s =
        db_query(op->db, "INSERT INTO faces(x, y, width, height, landmarks, quality, model, embedding, candidates, "
                         "label, person, distance, similarity, decision, template_id, image_id) VALUES(?, ?, ?, ?, ?, "
                         "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

    replace_bind_face(op, s, f);
    replace_bind_decision(op, s, f);
    op->d->bind_int(s, 16, image);
    return db_finish(op->db, s);
}

static int replace_update_face(struct op *op, const struct kept_face *k, const struct face *f)
{
    struct db_statement *s;

    if (k->named) {
        s = db_query(op->db, "UPDATE faces SET x = ?, y = ?, width = ?, height = ?, landmarks = ?, quality = ?, model "
                             "= ?, embedding = ?, candidates = ?, label = ? WHERE id = ?");
        replace_bind_face(op, s, f);
        op->d->bind_int(s, 11, k->id);
    } else {
        s = db_query(op->db, "UPDATE faces SET x = ?, y = ?, width = ?, height = ?, landmarks = ?, quality = ?, model "
                             "= ?, embedding = ?, candidates = ?, label = ?, person = ?, distance = ?, similarity = ?, "
                             "decision = ?, template_id = ? WHERE id = ?");
        replace_bind_face(op, s, f);
        replace_bind_decision(op, s, f);
        op->d->bind_int(s, 16, k->id);
    }
    return db_finish(op->db, s);
}

static int replace_delete_face(struct op *op, int64_t id)
{
    struct db_statement *s = db_query(op->db, "DELETE FROM faces WHERE id = ?");

    op->d->bind_int(s, 1, id);
    return db_finish(op->db, s);
}

/* The faces with a name by hand or a counter-example. A counter-example carries the id of its face as a negative
 * number. */
static int replace_read_kept(struct op *op, int64_t image, struct kept_face *kept)
{
    struct db_statement *s = db_query(
        op->db,
        "SELECT f.id, f.x, f.y, f.width, f.height, f.word = 1 FROM faces f WHERE f.image_id = ? AND (f.word > 0 "
        "OR EXISTS(SELECT 1 FROM templates t WHERE t.photo_id = -f.id AND t.counter = 1)) ORDER BY f.id");
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, image);
    while (count < KEPT_MAX && (result = db_step(op->db, s)) == DB_ROW)
        kept[count++] = (struct kept_face){.id = op->d->column_int(s, 0),
                                           .x = op->d->column_real(s, 1),
                                           .y = op->d->column_real(s, 2),
                                           .width = op->d->column_real(s, 3),
                                           .height = op->d->column_real(s, 4),
                                           .named = op->d->column_int(s, 5) != 0};
    op->d->reset(s);
    return result < 0 ? result : count;
}

/* Deletes up to KEPT_MAX faces that are not kept. Returns their number. */
static int replace_delete_others(struct op *op, int64_t image, const struct kept_face *kept, int count)
{
    struct db_statement *s = db_query(op->db, "SELECT id FROM faces WHERE image_id = ? ORDER BY id");
    int64_t ids[KEPT_MAX];
    int others = 0, result = DB_DONE;

    op->d->bind_int(s, 1, image);
    while (others < KEPT_MAX && (result = db_step(op->db, s)) == DB_ROW) {
        int i = 0;

        ids[others] = op->d->column_int(s, 0);
        while (i < count && kept[i].id != ids[others])
            i++;
        others += i == count;
    }
    op->d->reset(s);
    for (int i = 0; i < others && result >= 0; i++)
        result = replace_delete_face(op, ids[i]);
    return result < 0 ? result : others;
}

static double replace_overlap(const struct kept_face *k, const struct face *f)
{
    double x = (double)f->x, y = (double)f->y, w = (double)f->width, h = (double)f->height;
    double left = x > k->x ? x : k->x, right = x + w < k->x + k->width ? x + w : k->x + k->width;
    double top = y > k->y ? y : k->y, bottom = y + h < k->y + k->height ? y + h : k->y + k->height;
    double shared = right > left && bottom > top ? (right - left) * (bottom - top) : 0;

    if (w <= 0 && k->width <= 0) /* the recogniser gives no boxes, and one face an image */
        return 1;
    return shared > 0 ? shared / (w * h + k->width * k->height - shared) : 0;
}

static struct kept_face *replace_find_kept(struct kept_face *kept, int count, const struct face *f)
{
    struct kept_face *best = NULL;
    double most = KEPT_OVERLAP;

    for (int i = 0; i < count; i++) {
        double shared = kept[i].found ? 0 : replace_overlap(&kept[i], f);

        if (shared >= most) {
            most = shared;
            best = &kept[i];
        }
    }
    return best;
}

int op_replace_faces(struct op *op, const struct store_finish *m, bool same_bytes, bool *named)
{
    struct kept_face kept[KEPT_MAX];
    int count = 0, result = 0;

    *named = false;
    if (m->attempt > 1) { /* the first run has no faces before it */
        if (same_bytes && (count = replace_read_kept(op, m->id, kept)) < 0)
            return count;
        do
            result = replace_delete_others(op, m->id, kept, count);
        while (result == KEPT_MAX);
    }
    for (int i = 0; i < m->face_count && result >= 0; i++) {
        struct kept_face *k = replace_find_kept(kept, count, &m->faces[i]);

        if (k)
            k->found = true;
        result = k ? replace_update_face(op, k, &m->faces[i]) : replace_insert_face(op, m->id, &m->faces[i]);
    }
    for (int i = 0; i < count && result >= 0; i++) {
        *named |= kept[i].named;
        if (!kept[i].named && !kept[i].found)
            result = replace_delete_face(op, kept[i].id);
    }
    return result < 0 ? result : 0;
}
