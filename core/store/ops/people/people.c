/* People: create, change, delete. */
#include "core/store/ops/words/words_internal.h"

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

/* The faces that had their name through a template of the person get the name of someone else, if they are similar. */
static int people_decide_again(struct op *op, int64_t person)
{
    enum { TEMPLATES_MAX = 500 };
    int64_t ids[TEMPLATES_MAX], after = 0;
    int count, result = DB_DONE;

    do {
        struct db_statement *s =
            db_query(op->db, "SELECT id FROM templates WHERE person_id = ? AND id > ? ORDER BY id LIMIT 500");

        op->d->bind_int(s, 1, person);
        op->d->bind_int(s, 2, after);
        for (count = 0; count < TEMPLATES_MAX && (result = db_step(op->db, s)) == DB_ROW; count++)
            after = ids[count] = op->d->column_int(s, 0);
        op->d->reset(s);
        for (int i = 0; i < count && result >= 0; i++)
            result = op_decide_again(op, AGAIN_TEMPLATE, ids[i]);
    } while (count == TEMPLATES_MAX && result >= 0);
    return result < 0 ? result : 0;
}

/* Removes the person from one batch of faces and judges their images. The number of faces, or negative. */
static int people_unname_faces(struct op *op, int64_t person)
{
    enum { BATCH = 500 };
    struct db_statement *s = db_query(op->db, "SELECT id, image_id FROM faces WHERE person = ? ORDER BY id LIMIT 500");
    int64_t faces[BATCH], images[BATCH];
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, person);
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
                           "0, doubt = 0, rival = 0, label = NULL WHERE id = ?", /* template_id stays: its faces are
                                                                                    decided again */
                           faces[i]) < 0 ||
            op_judge_image(op, images[i]) < 0)
            return DB_ERROR;
    op->reply->more = count == BATCH;
    return count;
}

/* One batch of the faces of other people with whom the person was in doubt. */
static int people_end_doubts(struct op *op, int64_t person)
{
    int64_t faces[DOUBT_BATCH];
    int count = words_doubt_rivals(op, &(struct doubt_change){.person = person}, faces);

    op->reply->more |= count == DOUBT_BATCH;
    return count;
}

/* Deletes one batch of the person's photos; the nodes remove their files. */
static int people_delete_photos(struct op *op, int64_t person)
{
    enum { BATCH = 500 };
    struct db_statement *s =
        db_query(op->db, "SELECT COALESCE(MAX(id), 0), COUNT(*), COALESCE(SUM(spooled), 0) FROM (SELECT id, spooled "
                         "FROM person_images WHERE person_id = ? ORDER BY id LIMIT 500) b");
    int64_t last = 0, count = 0;
    int result;

    op->d->bind_int(s, 1, person);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        last = op->d->column_int(s, 0);
        count = op->d->column_int(s, 1);
        op->reply->deleted.files += op->d->column_int(s, 2);
    }
    op->d->reset(s);
    if (result < 0 || (result = op_erase_photos(op, person, last)) < 0 ||
        (result = op_forget_photo_names(op, person, last)) < 0)
        return result;
    s = db_query(op->db, "DELETE FROM person_images WHERE person_id = ? AND id <= ?");
    op->d->bind_int(s, 1, person);
    op->d->bind_int(s, 2, last);
    op->reply->deleted.photos += count;
    op->reply->more |= count >= BATCH;
    return db_finish(op->db, s);
}

static int people_delete_rest(struct op *op, int64_t id)
{
    if (op_run_with_id(op, "DELETE FROM gallery_log WHERE person_id = ?", id) < 0 ||
        op_gallery_log(op, GALLERY_PERSON_REMOVED, id, 0) < 0 || people_decide_again(op, id) < 0 ||
        op_words_person_deleted(op, id) < 0 || op_run_with_id(op, "DELETE FROM templates WHERE person_id = ?", id) < 0)
        return DB_ERROR;
    op->reply->deleted.templates = op->d->changes(op->db);
    if (op_forget_names(op, id) < 0 || op_run_with_id(op, "DELETE FROM person WHERE id = ?", id) < 0 ||
        op_run_with_id(op, "DELETE FROM person_names WHERE person_id = ?", id) < 0 || op_forget_merges(op, id) < 0 ||
        op_erase(op, NULL, NULL) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_PERSON_DELETED, 0, id);
}

/* Runs of other nodes that give the person a face end before this transaction goes on, or find no person. DB_ROW,
 * DB_DONE or negative. */
static int people_lock(struct op *op, int64_t id)
{
    struct db_statement *s = db_query(op->db, "SELECT 1 FROM person WHERE id = ?{| FOR UPDATE}");
    int result;

    op->d->bind_int(s, 1, id);
    result = db_step(op->db, s);
    op->d->reset(s);
    return result;
}

/* Removes the person from one batch of faces, or one batch of the photos. The last one deletes the person; the caller
 * repeats the request while `more`. */
int op_person_delete(struct op *op, const struct msg *msg)
{
    const struct store_id *m = (const struct store_id *)msg;
    int result = people_lock(op, m->id);

    if (result != DB_ROW)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)m->id);
    if ((result = people_unname_faces(op, m->id)) < 0)
        return result;
    op->reply->changed = op->reply->deleted.faces = result;
    if (!op->reply->more && (result = people_end_doubts(op, m->id)) < 0)
        return result;
    if (!op->reply->more && (result = people_delete_photos(op, m->id)) < 0)
        return result;
    if (!op->reply->more && people_delete_rest(op, m->id) < 0)
        return DB_ERROR;
    return op_batch_done(op, &(struct unfinished){UNFINISHED_DELETE_PERSON, m->id, 0, m->said_by});
}
