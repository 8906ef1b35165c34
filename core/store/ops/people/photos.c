/* Photos of people and their templates. */
#include "core/store/store_internal.h"

#include <string.h>

/* Completes a row of person_images that another program inserted with a file's name and a person only. */
static int photo_adopt_row(struct op *op, const struct store_photo *m)
{
    struct db_statement *s =
        db_query(op->db, "UPDATE person_images SET path = ?, sha256 = ?, created_at = ?, face_box = ? WHERE id = ? "
                         "AND path IS NULL");

    db_bind_text(op->db, s, 1, op_stored_path(op, m->path));
    db_bind_text(op->db, s, 2, m->sha256);
    op->d->bind_int(s, 3, op->now_ms);
    db_bind_text(op->db, s, 4, m->face_box);
    op->d->bind_int(s, 5, m->adopted_photo);
    return db_finish(op->db, s);
}

static int photo_insert_row(struct op *op, const struct store_photo *m, int64_t person)
{
    struct db_statement *s = db_query(op->db, "INSERT INTO person_images(image_name, person_id, path, sha256, spooled, "
                                              "created_at, face_box) VALUES(?, ?, ?, ?, ?, ?, ?)");

    op_bind_text(op, s, 1, m->photo_name, PHOTO_NAME_BYTES);
    op->d->bind_int(s, 2, person);
    db_bind_text(op->db, s, 3, op_stored_path(op, m->path));
    db_bind_text(op->db, s, 4, m->sha256);
    op->d->bind_int(s, 5, m->spooled);
    op->d->bind_int(s, 6, op->now_ms);
    db_bind_text(op->db, s, 7, m->face_box);
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

static int photo_reply(struct op *op, int64_t photo, int64_t person)
{
    op->reply->photos = arena_alloc(op->arena, sizeof(struct photo));
    op->reply->photo_count = 1;
    *op->reply->photos = (struct photo){.id = photo, .person = person};
    return 0;
}

/* Whether the person has the photo: the same bytes for the same model, or without an embedding the same name. Then it
 * is in the reply. */
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
    if ((result = db_step(op->db, s)) == DB_ROW)
        photo_reply(op, op->d->column_int(s, 0), person);
    op->d->reset(s);
    return result;
}

/* The same bytes enrol one person, except when a face of them was chosen by hand. */
static int photo_refuse_second_person(struct op *op, const struct store_photo *m, int64_t person)
{
    struct db_statement *s = db_query(op->db, "SELECT p.id, p.name, pi.image_name FROM person_images pi JOIN person p "
                                              "ON p.id = pi.person_id WHERE pi.sha256 = ? AND p.id <> ? LIMIT 1");
    int result;

    db_bind_text(op->db, s, 1, m->sha256);
    op->d->bind_int(s, 2, person);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        const char *name = op_text(op, s, 1), *photo = op_text(op, s, 2);
        int64_t other = op->d->column_int(s, 0);

        op->d->reset(s);
        return op_refuse(op, STORE_CONFLICT,
                         "the same photo is enrolled for %s (person %lld, “%s”); to mean it, choose a face (?face=N)",
                         name ? name : "", (long long)other, photo ? photo : "");
    }
    op->d->reset(s);
    return result < 0 ? result : 0;
}

int op_lock_gallery(struct op *op)
{
    return op->d->dialect == DIALECT_MARIADB ? db_run(op->db, "UPDATE gallery_head SET n = n WHERE id = 1") : 0;
}

/* One template more, of another model, for a photo that is enrolled. */
static int photo_embed(struct op *op, const struct store_photo *m)
{
    struct db_statement *s =
        db_query(op->db, "SELECT person_id, sha256, (SELECT COUNT(*) FROM templates t WHERE t.photo_id = "
                         "person_images.id AND t.model = ?), embed_claims FROM person_images WHERE id = ?");
    const char *bytes = NULL;
    bool embedded = false;
    int64_t claim = 0;
    int result;

    db_bind_text(op->db, s, 1, m->model);
    op->d->bind_int(s, 2, m->embedded_photo);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        op->reply->id = op->d->column_int(s, 0);
        bytes = op_text(op, s, 1);
        embedded = op->d->column_int(s, 2) > 0;
        claim = op->d->column_int(s, 3);
    }
    op->d->reset(s);
    if (result < 0)
        return result;
    if (result != DB_ROW)
        return op_refuse(op, STORE_NOT_FOUND, "there is no photo %lld", (long long)m->embedded_photo);
    if (m->claim && m->claim != claim)
        return op_refuse(op, STORE_CONFLICT, "another node embeds photo %lld", (long long)m->embedded_photo);
    if (bytes && m->sha256 && strcmp(bytes, m->sha256) != 0)
        return op_refuse(op, STORE_MISMATCH, "the file has other bytes than the photo that was enrolled");
    if (op_run_with_id(op, "UPDATE person_images SET embed_until = 0 WHERE id = ?", m->embedded_photo) < 0)
        return DB_ERROR;
    photo_reply(op, m->embedded_photo, op->reply->id);
    op->reply->changed = !embedded && m->embedding;
    return op->reply->changed ? photo_insert_template(op, m, op->reply->id, m->embedded_photo) : 0;
}

static int photo_mark_person(struct op *op, int64_t person)
{
    return op_run_with_id(op, "UPDATE person SET from_folder = 1 WHERE id = ?", person);
}

/* A file of the known-people folder that was refused, and whose face was chosen by hand now. */
static int photo_mark_known_file(struct op *op, const struct store_photo *m)
{
    struct db_statement *s =
        db_query(op->db, "UPDATE known_files SET photo_id = ?, taken = 1, state = ?, reason = NULL, faces = NULL WHERE "
                         "path_key = ? AND sha256 = ?");
    uint8_t key[PATH_KEY_BYTES];

    op_text_key(m->path, key);
    op->d->bind_int(s, 1, op->reply->photos->id);
    op->d->bind_int(s, 2, KNOWN_ENROLLED);
    op->d->bind_blob(s, 3, key, sizeof key, 0);
    db_bind_text(op->db, s, 4, m->sha256);
    return db_finish(op->db, s);
}

int op_photo_add(struct op *op, const struct msg *msg)
{
    const struct store_photo *m = (const struct store_photo *)msg;
    int64_t person = m->person;
    bool made = false;
    int result = op->disk_low ? op_refuse_disk_low(op) : op_lock_gallery(op);

    if (result < 0)
        return result;
    if (m->embedded_photo)
        return photo_embed(op, m);
    result = m->person_name ? op_person_of_folder(op, m->person_name, &person, &made) : op_person_exists(op, person);
    if (result < 0)
        return result;
    if (!m->person_name && result != DB_ROW)
        return op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)person);
    op->reply->id = person;
    if ((m->sha256 || !m->embedding) && (result = photo_exists(op, m, person)) != DB_DONE)
        return result < 0 ? result : m->adopted_photo ? photo_adopt_row(op, m) : 0;
    if (m->sha256 && !m->chosen && !m->adopted_photo && (result = photo_refuse_second_person(op, m, person)) < 0)
        return result;
    if ((made && m->from_folder && photo_mark_person(op, person) < 0) || op_insert_photo(op, m, person) < 0)
        return DB_ERROR;
    return m->chosen && m->path && m->sha256 ? photo_mark_known_file(op, m) : 0;
}

enum { PHOTO_TEMPLATES = 64 }; /* of one photo: one for each model that was ever used */

static int photo_read_templates(struct op *op, int64_t photo, int64_t ids[static PHOTO_TEMPLATES])
{
    struct db_statement *s = db_query(op->db, "SELECT id FROM templates WHERE photo_id = ? ORDER BY id LIMIT 64");
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, photo);
    while (count < PHOTO_TEMPLATES && (result = db_step(op->db, s)) == DB_ROW)
        ids[count++] = op->d->column_int(s, 0);
    op->d->reset(s);
    return result < 0 ? result : count;
}

static int photo_remove_templates(struct op *op, int64_t photo, int64_t person)
{
    int64_t ids[PHOTO_TEMPLATES];
    int count = photo_read_templates(op, photo, ids);

    for (int i = 0; i < count; i++)
        if (op_gallery_log(op, GALLERY_TEMPLATE_REMOVED, person, ids[i]) < 0 ||
            op_delete_template(op, ids[i], person) < 0)
            return DB_ERROR;
    op->reply->template_count = count > 0 ? count : 0;
    if (count > 0) {
        op->reply->templates = arena_alloc(op->arena, (size_t)count * sizeof(struct template));
        for (int i = 0; i < count; i++)
            op->reply->templates[i] = (struct template){.id = ids[i], .person = person};
    }
    return count < 0 ? count : 0;
}

int op_remove_photo(struct op *op, int64_t photo, int64_t person)
{
    if (photo_remove_templates(op, photo, person) < 0 ||
        op_run_with_id(op, "DELETE FROM person_images WHERE id = ?", photo) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_PERSON, 0, person);
}

/* A template never changes its person: the galleries know it by its number. The copy gets a new one. */
static int photo_move_template(struct op *op, int64_t template, int64_t from, int64_t to)
{
    struct db_statement *s =
        db_query(op->db, "INSERT INTO templates(person_id, photo_id, model, embedding, counter, word_id) SELECT ?, "
                         "photo_id, model, embedding, counter, word_id FROM templates WHERE id = ?");

    op->d->bind_int(s, 1, to);
    op->d->bind_int(s, 2, template);
    if (db_finish(op->db, s) < 0 || op_gallery_log(op, GALLERY_TEMPLATE_ADDED, to, op->d->last_id(op->db)) < 0 ||
        op_gallery_log(op, GALLERY_TEMPLATE_REMOVED, from, template) < 0)
        return DB_ERROR;
    return op_delete_template(op, template, from);
}

int op_move_photo(struct op *op, int64_t photo, int64_t from, int64_t to)
{
    struct db_statement *s;
    int64_t ids[PHOTO_TEMPLATES];
    int count = photo_read_templates(op, photo, ids);

    for (int i = 0; i < count; i++)
        if (photo_move_template(op, ids[i], from, to) < 0)
            return DB_ERROR;
    s = db_query(op->db, "UPDATE person_images SET person_id = ? WHERE id = ?");
    op->d->bind_int(s, 1, to);
    op->d->bind_int(s, 2, photo);
    if (count < 0 || db_finish(op->db, s) < 0 || op_event(op, EVENT_PERSON, 0, from) < 0)
        return DB_ERROR;
    return op_event(op, EVENT_PERSON, 0, to);
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
        photo_reply(op, m->id, 0);
        path = op_path(op, s, 1);
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
    if (op_remove_photo(op, m->id, op->reply->id) < 0 || op_erase(op, sha256, path) < 0)
        return DB_ERROR;
    op->reply->deleted =
        (struct deleted){.photos = 1, .templates = op->reply->template_count, .files = op->reply->photos->path != NULL};
    op->reply->changed = 1;
    return 0;
}
