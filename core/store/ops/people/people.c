/* People: create, rename, delete. */
#include "core/store/store_internal.h"

#include <string.h>

int op_person_exists(struct op *op, int64_t id)
{
    struct db_statement *s = db_query(op->db, "SELECT 1 FROM person WHERE id = ?");
    int result;

    op->d->bind_int(s, 1, id);
    result = db_step(op->db, s);
    op->d->reset(s);
    return result;
}

static int people_find(struct op *op, const uint8_t *key, int64_t *id)
{
    struct db_statement *s = db_query(op->db, "SELECT id FROM person WHERE name_key = ?");
    int result;

    op->d->bind_blob(s, 1, key, PATH_KEY_BYTES, 0);
    result = db_step(op->db, s);
    if (result == DB_ROW)
        *id = op->d->column_int(s, 0);
    op->d->reset(s);
    return result;
}

int op_person_by_name(struct op *op, const char *name, int64_t *id, bool *made)
{
    struct db_statement *s;
    uint8_t key[PATH_KEY_BYTES];
    int result;

    *made = false;
    op_text_key(name, key);
    if ((result = op_adopt_people(op)) < 0 || (result = people_find(op, key, id)) != DB_DONE)
        return result < 0 ? result : 0;
    s = db_query(op->db, "{INSERT OR IGNORE|INSERT IGNORE} INTO person(name, name_key) VALUES(?, ?)");
    db_bind_text(op->db, s, 1, name);
    op->d->bind_blob(s, 2, key, sizeof key, 0);
    if ((result = db_finish(op->db, s)) < 0)
        return result;
    if (op->d->changes(op->db) == 0) /* another node inserted it */
        return people_find(op, key, id) == DB_ROW ? 0 : DB_ERROR;
    *id = op->d->last_id(op->db);
    *made = true;
    if ((result = op_gallery_log(op, GALLERY_PERSON_NAMED, *id, 0)) < 0)
        return result;
    return op_event(op, EVENT_PERSON, 0, *id);
}

int op_person_add(struct op *op, const struct msg *msg)
{
    const struct store_person *m = (const struct store_person *)msg;
    bool made;
    int result = op_person_by_name(op, m->name, &op->reply->id, &made);

    op->reply->changed = made;
    return result;
}

int op_person_rename(struct op *op, const struct msg *msg)
{
    const struct store_person *m = (const struct store_person *)msg;
    struct db_statement *s = db_query(op->db, "SELECT id FROM person WHERE name_key = ? AND id <> ?");
    uint8_t key[PATH_KEY_BYTES];
    int result = op_adopt_people(op);

    if (result < 0)
        return result;
    op_text_key(m->name, key);
    op->d->bind_blob(s, 1, key, sizeof key, 0);
    op->d->bind_int(s, 2, m->id);
    result = db_step(op->db, s);
    op->d->reset(s);
    if (result == DB_ROW)
        return op_refuse(op, STORE_CONFLICT, "there is a person of that name already");
    s = db_query(op->db, "UPDATE person SET name = ?, name_key = ? WHERE id = ?");
    db_bind_text(op->db, s, 1, m->name);
    op->d->bind_blob(s, 2, key, sizeof key, 0);
    op->d->bind_int(s, 3, m->id);
    if (result < 0 || db_finish(op->db, s) < 0)
        return DB_ERROR;
    if (op->d->changes(op->db) == 0)
        return op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)m->id);
    op->reply->changed = 1;
    if (op_gallery_log(op, GALLERY_PERSON_NAMED, m->id, 0) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_PERSON, 0, m->id);
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
                           "0, template_id = 0 "
                           "WHERE id = ?",
                           faces[i]) < 0 ||
            op_judge_image(op, images[i]) < 0)
            return DB_ERROR;
    op->reply->more = count == BATCH;
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
    if (result < 0 || (result = op_erase_photos(op, person, last)) < 0)
        return result;
    s = db_query(op->db, "DELETE FROM person_images WHERE person_id = ? AND id <= ?");
    op->d->bind_int(s, 1, person);
    op->d->bind_int(s, 2, last);
    op->reply->deleted.photos += count;
    op->reply->more |= count >= BATCH;
    return db_finish(op->db, s);
}

/* The rows of the known-people folder keep the file, so that it is not enrolled again, and lose the name. */
static int people_delete_rest(struct op *op, int64_t id)
{
    if (op_run_with_id(op, "DELETE FROM templates WHERE person_id = ?", id) < 0)
        return DB_ERROR;
    op->reply->deleted.templates = op->d->changes(op->db);
    if (op_run_with_id(op,
                       "UPDATE known_files SET person_name = NULL, reason = 'the person was deleted' WHERE person_name "
                       "= (SELECT name FROM person WHERE id = ?)",
                       id) < 0 ||
        op_run_with_id(op, "DELETE FROM person WHERE id = ?", id) < 0 ||
        op_run_with_id(op, "DELETE FROM gallery_log WHERE person_id = ?", id) < 0 ||
        op_gallery_log(op, GALLERY_PERSON_REMOVED, id, 0) < 0 || op_erase(op, NULL, NULL) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_PERSON_DELETED, 0, id);
}

/* Removes the person from one batch of faces, or one batch of the photos. The last one deletes the person; the caller
 * repeats the request while `more`. */
int op_person_delete(struct op *op, const struct msg *msg)
{
    const struct store_id *m = (const struct store_id *)msg;
    int result = op_person_exists(op, m->id);

    if (result != DB_ROW)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)m->id);
    if ((result = people_unname_faces(op, m->id)) < 0)
        return result;
    op->reply->changed = op->reply->deleted.faces = result;
    if (!op->reply->more && (result = people_delete_photos(op, m->id)) < 0)
        return result;
    return op->reply->more ? 0 : people_delete_rest(op, m->id);
}
