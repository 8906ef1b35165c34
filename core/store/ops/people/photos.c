/* Photos of people and their templates. */
#include "core/store/store_internal.h"

/* Completes a row of person_images that another program inserted with a file's name and a person only. */
static int photo_adopt_row(struct op *op, const struct store_photo *m)
{
    struct db_statement *s =
        db_query(op->db, "UPDATE person_images SET path = ?, sha256 = ?, created_at = ? WHERE id = ? AND path IS NULL");

    db_bind_text(op->db, s, 1, m->path);
    db_bind_text(op->db, s, 2, m->sha256);
    op->d->bind_int(s, 3, op->now_ms);
    op->d->bind_int(s, 4, m->adopted_photo);
    return db_finish(op->db, s);
}

static int photo_insert_row(struct op *op, const struct store_photo *m, int64_t person)
{
    struct db_statement *s = db_query(op->db, "INSERT INTO person_images(image_name, person_id, path, sha256, spooled, "
                                              "created_at) VALUES(?, ?, ?, ?, ?, ?)");

    op_bind_text(op, s, 1, m->photo_name, PHOTO_NAME_BYTES);
    op->d->bind_int(s, 2, person);
    db_bind_text(op->db, s, 3, m->path);
    db_bind_text(op->db, s, 4, m->sha256);
    op->d->bind_int(s, 5, m->spooled);
    op->d->bind_int(s, 6, op->now_ms);
    return db_finish(op->db, s);
}

static int photo_insert_template(struct op *op, const struct store_photo *m, int64_t person, int64_t photo)
{
    struct db_statement *s =
        db_query(op->db, "INSERT INTO templates(person_id, photo_id, model, embedding) VALUES(?, ?, ?, ?)");
    int64_t template;

    op->d->bind_int(s, 1, person);
    op->d->bind_int(s, 2, photo);
    db_bind_text(op->db, s, 3, m->model);
    op->d->bind_blob(s, 4, m->embedding, (size_t)m->dimension * sizeof(float), 0);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    template = op->d->last_id(op->db);
    if (op_gallery_log(op, GALLERY_TEMPLATE_ADDED, person, template) < 0)
        return DB_ERROR;
    op->reply->templates = arena_alloc(op->arena, sizeof(struct template));
    op->reply->template_count = 1;
    *op->reply->templates = (struct template){.id = template,
                                              .person = person,
                                              .model = arena_text(op->arena, m->model),
                                              .embedding = (const float *)(const void *)arena_copy(
                                                  op->arena, m->embedding, (size_t)m->dimension * sizeof(float)),
                                              .dimension = m->dimension};
    return 0;
}

/* A recogniser that compares faces itself gives no embedding: the photo then maps a file name to a person only. */
int op_insert_photo(struct op *op, const struct store_photo *m, int64_t person)
{
    int64_t photo;

    if ((m->adopted_photo ? photo_adopt_row(op, m) : photo_insert_row(op, m, person)) < 0)
        return DB_ERROR;
    photo = m->adopted_photo ? m->adopted_photo : op->d->last_id(op->db);
    if (m->embedding && photo_insert_template(op, m, person, photo) < 0)
        return DB_ERROR;
    op->reply->photos = arena_alloc(op->arena, sizeof(struct photo));
    op->reply->photo_count = 1;
    *op->reply->photos = (struct photo){.id = photo,
                                        .person = person,
                                        .name = arena_text(op->arena, m->photo_name),
                                        .path = arena_text(op->arena, m->path),
                                        .created_ms = op->now_ms};
    op->reply->changed = 1;
    return op_event(op, EVENT_PERSON, 0, person);
}

/* Whether the person has the photo: the same bytes for the same model, or without an embedding the same name. */
static int photo_exists(struct op *op, const struct store_photo *m, int64_t person)
{
    struct db_statement *s =
        m->embedding ? db_query(op->db, "SELECT pi.id FROM person_images pi JOIN templates t ON t.photo_id = pi.id "
                                        "WHERE pi.person_id = ? AND pi.sha256 = ? AND t.model = ? LIMIT 1")
                     : db_query(op->db, "SELECT id FROM person_images WHERE person_id = ? AND image_name = ? AND id <> "
                                        "? LIMIT 1");
    int result;

    op->d->bind_int(s, 1, person);
    op_bind_text(op, s, 2, m->embedding ? m->sha256 : m->photo_name, PHOTO_NAME_BYTES);
    if (m->embedding)
        db_bind_text(op->db, s, 3, m->model);
    else
        op->d->bind_int(s, 3, m->adopted_photo);
    result = db_step(op->db, s);
    op->d->reset(s);
    return result;
}

/* Serialises the enrolment of all nodes. Two nodes that watch the same folder would otherwise both insert a photo. */
static int photo_lock_gallery(struct op *op)
{
    return op->d->dialect == DIALECT_MARIADB ? db_run(op->db, "UPDATE gallery_head SET n = n WHERE id = 1") : 0;
}

int op_photo_add(struct op *op, const struct msg *msg)
{
    const struct store_photo *m = (const struct store_photo *)msg;
    int64_t person = m->person;
    bool made;
    int result = op->disk_low ? op_refuse_disk_low(op) : photo_lock_gallery(op);

    if (result < 0)
        return result;
    result = m->person_name ? op_person_by_name(op, m->person_name, &person, &made) : op_person_exists(op, person);
    if (result < 0)
        return result;
    if (!m->person_name && result != DB_ROW)
        return op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)person);
    op->reply->id = person;
    if ((m->sha256 || !m->embedding) && (result = photo_exists(op, m, person)) != DB_DONE)
        return result < 0 ? result : m->adopted_photo ? photo_adopt_row(op, m) : 0;
    return op_insert_photo(op, m, person);
}

int op_photo_delete(struct op *op, const struct msg *msg)
{
    const struct store_id *m = (const struct store_id *)msg;
    struct db_statement *s =
        db_query(op->db, "SELECT person_id, path, spooled, sha256 FROM person_images WHERE id = ?");
    const char *path = NULL, *sha256 = NULL;
    int result;

    op->d->bind_int(s, 1, m->id);
    result = db_step(op->db, s);
    if (result == DB_ROW) {
        op->reply->id = op->d->column_int(s, 0);
        op->reply->photos = arena_alloc(op->arena, sizeof(struct photo));
        op->reply->photo_count = 1;
        op->reply->photos->id = m->id;
        path = op_text(op, s, 1);
        sha256 = op_text(op, s, 3);
        op->reply->photos->path = op->d->column_int(s, 2) ? path : NULL; /* NULL: not a spooled file, it stays */
    }
    op->d->reset(s);
    if (result < 0)
        return result;
    if (result != DB_ROW)
        return op_refuse(op, STORE_NOT_FOUND, "there is no photo %lld", (long long)m->id);
    if (m->person && op->reply->id != m->person)
        return op_refuse(op, STORE_NOT_FOUND, "person %lld has no photo %lld", (long long)m->person, (long long)m->id);
    s = db_query(op->db, "SELECT id FROM templates WHERE photo_id = ?");
    op->d->bind_int(s, 1, m->id);
    op->reply->templates = arena_alloc(op->arena, sizeof(struct template));
    if (db_step(op->db, s) == DB_ROW) {
        op->reply->templates->id = op->d->column_int(s, 0);
        op->reply->template_count = 1;
    }
    op->d->reset(s);
    if (op->reply->template_count &&
        (op_gallery_log(op, GALLERY_TEMPLATE_REMOVED, op->reply->id, op->reply->templates->id) < 0 ||
         op_decide_again(op, AGAIN_TEMPLATE, op->reply->templates->id) < 0))
        return DB_ERROR;
    if (op_run_with_id(op, "DELETE FROM templates WHERE photo_id = ?", m->id) < 0 ||
        op_run_with_id(op, "DELETE FROM person_images WHERE id = ?", m->id) < 0 || op_erase(op, sha256, path) < 0)
        return DB_ERROR;
    op->reply->deleted =
        (struct deleted){.photos = 1, .templates = op->reply->template_count, .files = op->reply->photos->path != NULL};
    op->reply->changed = 1;
    return op_event(op, EVENT_PERSON, 0, op->reply->id);
}
