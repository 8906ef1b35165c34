/* Undoing a merge: the rows that it moved and that still exist go back, one batch a request. */
#include "core/store/ops/merge/merge_internal.h"
#include "core/store/ops/words/words_internal.h"

#include <assert.h>

static_assert(MERGE_FACE == 1 && MERGE_TEMPLATE == 2 && MERGE_COUNTER == 3 && MERGE_PHOTO == 4 && MERGE_WORD == 5 &&
                  MERGE_PARKED_TEMPLATE == 6 && MERGE_PARKED_PHOTO == 7 && MERGE_PARKED_COUNTER == 8 &&
                  MERGE_PARKED_WORD == 9 && MERGE_DENIED_FACE == 10 && MERGE_DOUBT == 11,
              "numbers in the statements below");

/* --- faces --- */

struct undo_face {
    int64_t row, image, person; /* image 0: it is another person's now, or gone */
};

/* Faces that a gallery named, that moved, and of which nobody said anything else since. One that has lost the name to
 * another face of the picture is decided again. Faces that were named by hand follow their words. Returns the number of
 * rows. */
static int undo_faces(struct op *op, const struct merge *m)
{
    struct db_statement *s = db_query(
        op->db, "SELECT r.row_id, COALESCE(f.image_id, 0), COALESCE(f.person, 0) FROM merge_rows r LEFT JOIN faces f "
                "ON f.id = r.row_id AND f.person IN (?, -1) AND f.word = 0 AND r.other = 0 WHERE r.merge_id = ? AND "
                "r.kind = 1 ORDER BY r.row_id LIMIT 500");
    struct undo_face faces[MERGE_FACES];
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, m->into);
    op->d->bind_int(s, 2, m->id);
    for (; count < MERGE_FACES && (result = db_step(op->db, s)) == DB_ROW; count++)
        faces[count] = (struct undo_face){op->d->column_int(s, 0), op->d->column_int(s, 1), op->d->column_int(s, 2)};
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0; i++) {
        if (faces[i].image)
            result = faces[i].person > 0 ? merge_move_face(op, m, faces[i].row, faces[i].image, m->person)
                                         : op_decide_again(op, AGAIN_FACE, faces[i].row);
        if (result >= 0)
            result = merge_forget_record(op, m->id, MERGE_FACE, faces[i].row);
    }
    return result < 0 ? result : count;
}

int merge_return_faces(struct op *op, const struct merge *m, int64_t template)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id, image_id FROM faces WHERE template_id = ? AND template_id > 0 AND person = ? AND "
                         "word = 0 ORDER BY id LIMIT 500");
    struct undo_face faces[MERGE_FACES];
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, template);
    op->d->bind_int(s, 2, m->into);
    for (; count < MERGE_FACES && (result = db_step(op->db, s)) == DB_ROW; count++)
        faces[count] = (struct undo_face){op->d->column_int(s, 0), op->d->column_int(s, 1), 0};
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0; i++)
        result = merge_move_face(op, m, faces[i].row, faces[i].image, m->person);
    return result < 0 ? result : count;
}

/* --- templates --- */

struct undo_row {
    int64_t id, kind, other, owner; /* owner: the template's person now, -1 when it is gone */
};

static int undo_template(struct op *op, const struct merge *m, const struct undo_row *r)
{
    if (r->kind == MERGE_TEMPLATE || r->kind == MERGE_COUNTER)
        return r->owner == m->into ? merge_move_template(op, r->id, m->into, m->person, r->kind == MERGE_COUNTER) : 0;
    if (r->owner != 0)
        return 0;
    if (r->kind == MERGE_PARKED_COUNTER)
        return merge_move_template(op, r->id, 0, r->other, true);
    if (merge_move_template(op, r->id, 0, m->person, false) < 0)
        return DB_ERROR;
    return MERGE_RUN(op, "UPDATE faces SET template_id = ? WHERE template_id = ? AND template_id > 0 AND person = ?",
                     r->id, r->other, m->person);
}

/* Returns whether there may be more. */
static int undo_templates(struct op *op, const struct merge *m)
{
    struct db_statement *s = db_query(
        op->db, "SELECT r.row_id, r.kind, r.other, COALESCE(t.person_id, -1) FROM merge_rows r LEFT JOIN templates t "
                "ON t.id = r.row_id WHERE r.merge_id = ? AND r.kind IN (2, 3, 6, 8) ORDER BY r.kind, r.row_id LIMIT "
                "100");
    struct undo_row rows[MERGE_TEMPLATES];
    int count = 0, faces = 0, result = DB_DONE;

    op->d->bind_int(s, 1, m->id);
    for (; count < MERGE_TEMPLATES && (result = db_step(op->db, s)) == DB_ROW; count++)
        rows[count] = (struct undo_row){op->d->column_int(s, 0), op->d->column_int(s, 1), op->d->column_int(s, 2),
                                        op->d->column_int(s, 3)};
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0; i++) {
        if (rows[i].kind == MERGE_TEMPLATE && rows[i].owner == m->into) {
            if ((result = merge_return_faces(op, m, rows[i].id)) < 0)
                return result;
            if (result == MERGE_FACES || (faces += result) >= MERGE_FACES)
                return 1;
        }
        if (undo_template(op, m, &rows[i]) < 0 ||
            (result = merge_forget_record(op, m->id, (enum merge_kind)rows[i].kind, rows[i].id)) < 0)
            return DB_ERROR;
    }
    return result < 0 ? result : count == MERGE_TEMPLATES;
}

/* Templates that photos of the merge have got since, of another model. Returns the number of rows. */
static int undo_new_templates(struct op *op, const struct merge *m)
{
    struct db_statement *s =
        db_query(op->db, "SELECT t.id FROM merge_rows r JOIN templates t ON t.photo_id = r.row_id AND t.person_id = ? "
                         "AND t.counter = 0 WHERE r.merge_id = ? AND r.kind = 4 ORDER BY t.id LIMIT 100");
    int64_t ids[MERGE_TEMPLATES];
    int count = 0, faces = 0, result = DB_DONE;

    op->d->bind_int(s, 1, m->into);
    op->d->bind_int(s, 2, m->id);
    while (count < MERGE_TEMPLATES && (result = db_step(op->db, s)) == DB_ROW)
        ids[count++] = op->d->column_int(s, 0);
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0 && faces < MERGE_FACES; i++) {
        if ((result = merge_return_faces(op, m, ids[i])) < 0)
            return result;
        if ((faces += result) < MERGE_FACES)
            result = merge_move_template(op, ids[i], m->into, m->person, false);
    }
    return result < 0 ? result : count;
}

/* Runs a query of a batch of the merge's rows, and the images of their faces. Returns their number. */
static int undo_read_faces(struct op *op, struct db_statement *s, int64_t merge, struct undo_face faces[MERGE_FACES])
{
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, merge);
    for (; count < MERGE_FACES && (result = db_step(op->db, s)) == DB_ROW; count++)
        faces[count] = (struct undo_face){op->d->column_int(s, 0), op->d->column_int(s, 1), 0};
    op->d->reset(s);
    return result < 0 ? result : count;
}

/* Faces that lost their name because a word denied the other person: they are decided with the templates that are back.
 */
static int undo_denied(struct op *op, const struct merge *m)
{
    struct db_statement *s =
        db_query(op->db, "SELECT r.row_id, COALESCE(f.image_id, 0) FROM merge_rows r LEFT JOIN faces f ON f.id = "
                         "r.row_id AND f.person = -1 AND f.word = 0 WHERE r.merge_id = ? AND r.kind = 10 ORDER BY "
                         "r.row_id LIMIT 500");
    struct undo_face faces[MERGE_FACES];
    int count = undo_read_faces(op, s, m->id, faces), result = count;

    for (int i = 0; i < count && result >= 0; i++) {
        if (faces[i].image)
            result = op_decide_again(op, AGAIN_FACE, faces[i].row);
        if (result >= 0)
            result = merge_forget_record(op, m->id, MERGE_DENIED_FACE, faces[i].row);
    }
    return result < 0 ? result : count;
}

/* Names that were in doubt between their person and the one who is back. */
static int undo_doubts(struct op *op, const struct merge *m)
{
    struct db_statement *s =
        db_query(op->db, "SELECT r.row_id, COALESCE(f.image_id, 0) FROM merge_rows r LEFT JOIN faces f ON f.id = "
                         "r.row_id WHERE r.merge_id = ? AND r.kind = 11 ORDER BY r.row_id LIMIT 500");
    struct undo_face faces[MERGE_FACES];
    int count = undo_read_faces(op, s, m->id, faces), result = count;

    for (int i = 0; i < count && result >= 0; i++) {
        if (faces[i].image)
            result = words_doubt_tell(op, faces[i].row, faces[i].image, &(struct doubt_change){.person = 0});
        if (result >= 0)
            result = merge_forget_record(op, m->id, MERGE_DOUBT, faces[i].row);
    }
    return result < 0 ? result : count;
}

/* --- the rest --- */

static int undo_rest(struct op *op, const struct merge *m)
{
    if (MERGE_RUN(op,
                  "UPDATE person_images SET person_id = ? WHERE person_id = ? AND id IN (SELECT row_id FROM merge_rows "
                  "WHERE merge_id = ? AND kind = 4)",
                  m->person, m->into, m->id) < 0 ||
        MERGE_RUN(op,
                  "UPDATE person_images SET person_id = ? WHERE person_id IS NULL AND id IN (SELECT row_id FROM "
                  "merge_rows WHERE merge_id = ? AND kind = 7)",
                  m->person, m->id) < 0 ||
        MERGE_RUN(op, "DELETE FROM merge_rows WHERE merge_id = ?", m->id) < 0 ||
        merge_set_state(op, m->id, MERGE_UNDONE) < 0 || op_event(op, EVENT_PERSON, 0, m->into) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_PERSON, 0, m->person);
}

static int undo_make_person(struct op *op, const struct merge *m)
{
    struct db_statement *s =
        db_query(op->db, "INSERT INTO person(id, name, notes, portrait_photo, portrait_face) VALUES(?, ?, ?, ?, ?)");
    int alike = op_find_alike(op, m->name, m->person);

    if (alike < 0)
        return alike;
    op->d->bind_int(s, 1, m->person);
    db_bind_text(op->db, s, 2, m->name);
    db_bind_text(op->db, s, 3, m->notes);
    op->d->bind_int(s, 4, m->portrait_photo);
    op->d->bind_int(s, 5, m->portrait_face);
    if (db_finish(op->db, s) < 0 || op_write_name(op, m->person, m->name, alike > 0) < 0)
        return DB_ERROR;
    return op_gallery_log(op, GALLERY_PERSON_NAMED, m->person, 0);
}

/* --- the request --- */

static int undo_refuse_moved(struct op *op, const struct merge *m)
{
    struct merge next = {0};

    if (merge_load_latest(op, m->into, &next) < 0)
        return DB_ERROR;
    if (next.id)
        return op_refuse(op, STORE_CONFLICT, "person %lld was merged into person %lld since: undo merge %lld first",
                         (long long)next.person, (long long)next.into, (long long)next.id);
    return op_refuse(op, STORE_NOT_FOUND, "there is no person %lld any more", (long long)m->into);
}

/* 0: its rows can go back; else refused or negative. */
static int undo_begin(struct op *op, struct merge *m)
{
    int there, into;

    if (m->state >= MERGE_KEPT)
        return op_refuse(op, STORE_CONFLICT, "merge %lld is too old to be undone (KITH_MERGE_UNDO)", (long long)m->id);
    if (op_adopt_people(op) < 0 || merge_lock_people(op, m->person, m->into) < 0 ||
        (there = op_person_exists(op, m->person)) < 0 || (into = op_person_exists(op, m->into)) < 0)
        return DB_ERROR;
    if (into != DB_ROW)
        return undo_refuse_moved(op, m);
    if (there != DB_ROW && undo_make_person(op, m) < 0)
        return DB_ERROR;
    return merge_set_state(op, m->id, MERGE_UNDOING);
}

int op_merge_undo(struct op *op, const struct msg *message)
{
    const struct store_merge *msg = (const struct store_merge *)message;
    struct merge m = {0};
    int result = merge_load(op, msg->merge, &m), count;

    if (result != DB_ROW)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no merge %lld", (long long)msg->merge);
    if (m.state == MERGE_UNDONE) {
        merge_reply(op, &m);
        return 0;
    }
    if ((result = undo_begin(op, &m)) < 0)
        return result;
    if ((count = undo_faces(op, &m)) < 0 || (count < MERGE_FACES && (count = undo_templates(op, &m)) < 0) ||
        (count == 0 && (count = undo_new_templates(op, &m)) < 0) ||
        (count == 0 && (count = merge_undo_words(op, &m)) < 0) || (count == 0 && (count = undo_denied(op, &m)) < 0) ||
        (count == 0 && (count = undo_doubts(op, &m)) < 0))
        return DB_ERROR;
    op->reply->changed = 1;
    op->reply->more = count > 0;
    if ((!op->reply->more && undo_rest(op, &m) < 0) ||
        op_batch_done(op, &(struct unfinished){UNFINISHED_UNDO, m.person, m.id, msg->said_by}) < 0)
        return DB_ERROR;
    if (merge_load(op, m.id, &m) != DB_ROW)
        return DB_ERROR;
    merge_reply(op, &m);
    return 0;
}
