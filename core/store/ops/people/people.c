/* People: create, change, delete. */
#include "core/store/store_internal.h"

#include <string.h>

int op_person_exists(struct op *op, int64_t id)
{
    /* With the lock no other node deletes or merges the person before this transaction has given it a face. */
    struct db_statement *s = db_query(op->db, "SELECT 1 FROM person WHERE id = ?{| LOCK IN SHARE MODE}");
    int result;

    op->d->bind_int(s, 1, id);
    result = db_step(op->db, s);
    op->d->reset(s);
    return result;
}

static int people_make_another(struct op *op, const char *name, bool *made)
{
    char clean[NAME_BYTES];
    int result = op_clean_name(op, name, clean);

    *made = true;
    if (result < 0 || (result = op_adopt_people(op)) < 0)
        return result;
    return op_person_make(op, clean, &op->reply->id);
}

/* The reply has the person's id and, as its only person, the name that is stored. `changed`: it was made. */
int op_person_add(struct op *op, const struct msg *msg)
{
    const struct store_person *m = (const struct store_person *)msg;
    bool made;
    int result =
        m->another ? people_make_another(op, m->name, &made) : op_person_by_name(op, m->name, &op->reply->id, &made);

    op->reply->changed = made;
    return result < 0 ? result : op_read_person(op, op->reply->id) < 0 ? DB_ERROR : 0;
}

static int people_refuse_alike(struct op *op, int64_t id)
{
    int64_t other = op->reply->alike[0].id;

    return op_refuse(op, STORE_CONFLICT,
                     "person %lld has this name: merge them with POST /v1/people/%lld/merge {\"into\": %lld}, or say "
                     "\"another\": true",
                     (long long)other, (long long)id, (long long)other);
}

/* A person may always get another spelling of the name it has. */
static int people_rename(struct op *op, const struct store_person *m, const char *old)
{
    char clean[NAME_BYTES];
    int result = op_clean_name(op, m->name, clean);

    if (result < 0 || (result = op_adopt_people(op)) < 0 || (result = op_find_alike(op, clean, m->id)) < 0)
        return result;
    if (result > 0 && !m->another && strcmp(op_alike_name(op, clean), op_alike_name(op, old)) != 0)
        return people_refuse_alike(op, m->id);
    if (op_write_name(op, m->id, clean, result > 0) < 0)
        return DB_ERROR;
    return op_gallery_log(op, GALLERY_PERSON_NAMED, m->id, 0);
}

static int people_write_notes(struct op *op, int64_t id, const char *notes)
{
    struct db_statement *s = db_query(op->db, "UPDATE person SET notes = ? WHERE id = ?");

    db_bind_text(op->db, s, 1, notes[0] ? notes : NULL);
    op->d->bind_int(s, 2, id);
    return db_finish(op->db, s);
}

/* 1 when a row with that id belongs to the person, 0 when not, or negative. */
static int people_owns(struct op *op, const char *sql, int64_t id, int64_t person)
{
    struct db_statement *s = db_query(op->db, sql);
    int result;

    op->d->bind_int(s, 1, id);
    op->d->bind_int(s, 2, person);
    result = db_step(op->db, s);
    op->d->reset(s);
    return result;
}

static int people_choose_portrait(struct op *op, const struct store_person *m)
{
    struct db_statement *s;
    int result = DB_ROW;

    if (m->portrait_photo)
        result =
            people_owns(op, "SELECT 1 FROM person_images WHERE id = ? AND person_id = ?", m->portrait_photo, m->id);
    else if (m->portrait_face)
        result = people_owns(op, "SELECT 1 FROM faces WHERE id = ? AND person = ?", m->portrait_face, m->id);
    if (result != DB_ROW)
        return result < 0 ? result
                          : op_refuse(op, STORE_NOT_FOUND, "person %lld has no %s %lld", (long long)m->id,
                                      m->portrait_photo ? "photo" : "face",
                                      (long long)(m->portrait_photo ? m->portrait_photo : m->portrait_face));
    s = db_query(op->db, "UPDATE person SET portrait_photo = ?, portrait_face = ? WHERE id = ?");
    op->d->bind_int(s, 1, m->portrait_photo);
    op->d->bind_int(s, 2, m->portrait_face);
    op->d->bind_int(s, 3, m->id);
    return db_finish(op->db, s);
}

/* The reply has the person as it is now. */
int op_person_rename(struct op *op, const struct msg *msg)
{
    const struct store_person *m = (const struct store_person *)msg;
    const char *old;
    int result = op_read_person(op, m->id);

    if (result != DB_ROW)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)m->id);
    old = op->reply->people->name;
    if ((m->name && (result = people_rename(op, m, old)) < 0) ||
        (m->notes && (result = people_write_notes(op, m->id, m->notes)) < 0) ||
        (m->choose_portrait && (result = people_choose_portrait(op, m)) < 0))
        return result;
    op->reply->changed = 1;
    if (op_read_person(op, m->id) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_PERSON, 0, m->id);
}

/* Removes the person from one batch of faces and judges their images. The last batch deletes the person; the caller
 * repeats the request while `more`. */
int op_person_delete(struct op *op, const struct msg *msg)
{
    enum { BATCH = 500 };
    const struct store_id *m = (const struct store_id *)msg;
    struct db_statement *s = db_query(op->db, "SELECT id, image_id FROM faces WHERE person = ? ORDER BY id LIMIT 500");
    int64_t faces[BATCH], images[BATCH];
    int count = 0, result = op_person_exists(op, m->id);

    if (result != DB_ROW)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)m->id);
    op->d->bind_int(s, 1, m->id);
    for (; count < BATCH && (result = db_step(op->db, s)) == DB_ROW; count++) {
        faces[count] = op->d->column_int(s, 0);
        images[count] = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    if (result < 0)
        return result;
    for (int i = 0; i < count; i++)
        if (op_run_with_id(op,
                           "UPDATE faces SET person = -1, distance = NULL, similarity = NULL, decision = NULL, word = "
                           "0, template_id = 0 "
                           "WHERE id = ?",
                           faces[i]) < 0 ||
            op_judge_image(op, images[i]) < 0)
            return DB_ERROR;
    op->reply->more = count == BATCH;
    op->reply->changed = count;
    if (op->reply->more)
        return 0;
    if (op_run_with_id(op, "DELETE FROM templates WHERE person_id = ?", m->id) < 0 ||
        op_run_with_id(op, "DELETE FROM person_images WHERE person_id = ?", m->id) < 0 ||
        op_run_with_id(op, "DELETE FROM person WHERE id = ?", m->id) < 0 ||
        op_run_with_id(op, "DELETE FROM person_names WHERE person_id = ?", m->id) < 0 ||
        op_forget_merges(op, m->id) < 0 ||
        op_run_with_id(op, "DELETE FROM gallery_log WHERE person_id = ?", m->id) < 0 ||
        op_gallery_log(op, GALLERY_PERSON_REMOVED, m->id, 0) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_PERSON_DELETED, 0, m->id);
}
