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
                           "0 WHERE id = ?", /* template_id stays: its faces are decided again */
                           faces[i]) < 0 ||
            op_judge_image(op, images[i]) < 0)
            return DB_ERROR;
    op->reply->more = count == BATCH;
    op->reply->changed = count;
    if (op->reply->more)
        return 0;
    if (op_run_with_id(op, "DELETE FROM gallery_log WHERE person_id = ?", m->id) < 0 ||
        op_gallery_log(op, GALLERY_PERSON_REMOVED, m->id, 0) < 0 || people_decide_again(op, m->id) < 0 ||
        op_words_person_deleted(op, m->id) < 0 ||
        op_run_with_id(op, "DELETE FROM templates WHERE person_id = ?", m->id) < 0 ||
        op_run_with_id(op, "DELETE FROM person_images WHERE person_id = ?", m->id) < 0 ||
        op_run_with_id(op, "DELETE FROM person WHERE id = ?", m->id) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_PERSON_DELETED, 0, m->id);
}
