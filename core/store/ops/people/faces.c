/* Assignment of faces to people, to unknown people, and of counter-examples; by clients or by the gallery. */
#include "core/store/store_internal.h"

#include <string.h>

/* `decision`: NULL when a client named the face. `template`: through which the gallery did, or 0. */
static int face_set_person(struct op *op, int64_t face, int64_t person, double distance, double similarity,
                           const char *candidates, const struct decision *decision, int64_t template)
{
    struct db_statement *s = db_query(op->db, "UPDATE faces SET person = ?, distance = ?, similarity = ?, candidates = "
                                              "COALESCE(?, candidates), decision = ?, template_id = ?, word = ? WHERE "
                                              "id = ?");
    char text[DECISION_BYTES];

    if (decision)
        decision_write(decision, text);

    op->d->bind_int(s, 1, person);
    op->d->bind_real(s, 2, distance);
    op->d->bind_real(s, 3, similarity);
    db_bind_text(op->db, s, 4, candidates);
    db_bind_text(op->db, s, 5, decision && decision->rule ? text : NULL);
    op->d->bind_int(s, 6, template);
    op->d->bind_int(s, 7, decision ? WORD_NONE : WORD_NAMED);
    op->d->bind_int(s, 8, face);
    return db_finish(op->db, s);
}

static int face_load(struct op *op, int64_t id, struct face *face)
{
    struct db_statement *s =
        db_query(op->db, "SELECT " FACE_COLUMNS " FROM faces f LEFT JOIN person p ON p.id = f.person WHERE f.id = ?");
    int result;

    op->d->bind_int(s, 1, id);
    result = db_step(op->db, s);
    if (result == DB_ROW)
        op_face_row(op, s, face);
    op->d->reset(s);
    return result;
}

int op_face(struct op *op, const struct msg *msg)
{
    int result;

    op->reply->faces = arena_alloc(op->arena, sizeof(struct face));
    result = face_load(op, ((const struct store_id *)msg)->id, op->reply->faces);
    op->reply->face_count = result == DB_ROW;
    return result == DB_ROW ? 0 : result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no such face");
}

/* Adds the face to the person's templates. */
static int face_add_template(struct op *op, const struct face *face, const struct image *image, int64_t person)
{
    const char *slash = strrchr(image->path, '/');
    struct store_photo photo = {.photo_name = slash ? slash + 1 : image->path,
                                .path = image->path,
                                .model = face->model,
                                .embedding = face->embedding,
                                .dimension = face->dimension};

    return face->embedding ? op_insert_photo(op, &photo, person) : 0;
}

/* A counter-example has no photo: its photo_id is the negative id of its face. */
static int64_t face_find_counter(struct op *op, int64_t face, int64_t person)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id FROM templates WHERE photo_id = ? AND person_id = ? AND counter = 1");
    int64_t id = 0;

    op->d->bind_int(s, 1, -face);
    op->d->bind_int(s, 2, person);
    if (db_step(op->db, s) == DB_ROW)
        id = op->d->column_int(s, 0);
    op->d->reset(s);
    return id;
}

static int face_remove_counter(struct op *op, int64_t face, int64_t person)
{
    struct db_statement *s;
    int64_t id = face_find_counter(op, face, person);

    if (!id)
        return 0;
    s = db_query(op->db, "DELETE FROM templates WHERE id = ?");
    op->d->bind_int(s, 1, id);
    return db_finish(op->db, s) < 0 ? DB_ERROR : op_gallery_log(op, GALLERY_TEMPLATE_REMOVED, person, id);
}

/* Finds the person of a message, or creates it by its name. 0 or negative. */
static int face_resolve_person(struct op *op, const struct store_name_face *m, int64_t *person)
{
    bool made;
    int result;

    *person = m->person;
    result = m->person ? op_person_exists(op, m->person) : op_person_by_name(op, m->person_name, person, &made);
    if (result < 0)
        return result;
    if (m->person && result != DB_ROW) {
        *person = 0;
        return op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)m->person);
    }
    return 0;
}

/* Assigns a face to a person for a client, and adds its embedding to the person's templates. */
int op_name_face(struct op *op, const struct msg *msg)
{
    const struct store_name_face *m = (const struct store_name_face *)msg;
    struct face *face = arena_alloc(op->arena, sizeof *face);
    struct image *image = arena_alloc(op->arena, sizeof *image);
    int64_t person;
    int result = face_load(op, m->face, face);

    if (result != DB_ROW || (result = op_load_image(op, face->image, image)) != 1)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no face %lld", (long long)m->face);
    if ((result = face_resolve_person(op, m, &person)) < 0 || person == 0)
        return result;
    if (face_set_person(op, m->face, person, 0, 1, NULL, NULL, 0) < 0 || op_judge_image(op, face->image) < 0 ||
        face_remove_counter(op, m->face, person) < 0 ||
        (!m->no_template && face_add_template(op, face, image, person) < 0))
        return DB_ERROR;
    op->reply->id = person;
    op->reply->images = image;
    op->reply->image_count = 1;
    return op_load_image(op, face->image, image) < 0 ? DB_ERROR : 0;
}

/* Makes templates of the faces with the best quality. Returns their number. */
static int face_add_unknown_templates(struct op *op, int64_t unknown_person, int64_t person)
{
    enum { TEMPLATES = 3 };
    struct db_statement *s = db_query(
        op->db, "SELECT " FACE_COLUMNS " FROM faces f LEFT JOIN person p ON p.id = f.person WHERE f.unknown_person "
                "= ? AND f.unknown_person > 0 AND f.person = -1 ORDER BY f.quality DESC, f.id LIMIT 3");
    struct face *faces = arena_alloc(op->arena, TEMPLATES * sizeof *faces);
    struct image image;
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, unknown_person);
    while (count < TEMPLATES && (result = db_step(op->db, s)) == DB_ROW)
        op_face_row(op, s, &faces[count++]);
    op->d->reset(s);
    if (result < 0)
        return result;
    for (int i = 0; i < count; i++) {
        image = (struct image){0};
        if (op_load_image(op, faces[i].image, &image) != 1 || face_add_template(op, &faces[i], &image, person) < 0)
            return DB_ERROR;
    }
    return count;
}

/* Assigns one batch of the faces of an unknown person; the caller repeats the request while `more`. */
int op_name_unknown_person(struct op *op, const struct msg *msg)
{
    enum { BATCH = 500 };
    const struct store_name_face *m = (const struct store_name_face *)msg;
    struct db_statement *s;
    int64_t faces[BATCH + 1], images[BATCH + 1], person;
    int count = 0, result = face_resolve_person(op, m, &person);

    if (result < 0 || person == 0)
        return result;
    if (!m->no_template && !m->next_batch && (result = face_add_unknown_templates(op, m->face, person)) <= 0)
        return result < 0 ? result
                          : op_refuse(op, STORE_NOT_FOUND, "there is no unknown person %lld", (long long)m->face);
    s = db_query(
        op->db,
        "SELECT id, image_id FROM faces WHERE unknown_person = ? AND unknown_person > 0 AND person = -1 ORDER BY "
        "id LIMIT 501");
    op->d->bind_int(s, 1, m->face);
    for (; count <= BATCH && (result = db_step(op->db, s)) == DB_ROW; count++) {
        faces[count] = op->d->column_int(s, 0);
        images[count] = op->d->column_int(s, 1);
    }
    op->d->reset(s);
    if (result < 0)
        return result;
    if (count == 0 && !m->next_batch) /* between two batches the gallery may have assigned the last faces */
        return op_refuse(op, STORE_NOT_FOUND, "there is no unknown person %lld", (long long)m->face);
    op->reply->more = count > BATCH;
    count = count > BATCH ? BATCH : count;
    for (int i = 0; i < count; i++)
        if (face_set_person(op, faces[i], person, 0, 1, NULL, NULL, 0) < 0 || op_judge_image(op, images[i]) < 0)
            return DB_ERROR;
    op->reply->id = person;
    op->reply->changed = count;
    return 0;
}

static int face_add_counter(struct op *op, const struct face *face, int64_t person)
{
    struct db_statement *s;
    int64_t id = face_find_counter(op, face->id, person);

    if (!face->embedding)
        return 0;
    if (!id) {
        s = db_query(op->db,
                     "INSERT INTO templates(person_id, photo_id, model, embedding, counter) VALUES(?, ?, ?, ?, 1)");
        op->d->bind_int(s, 1, person);
        op->d->bind_int(s, 2, -face->id);
        db_bind_text(op->db, s, 3, face->model);
        op->d->bind_blob(s, 4, face->embedding, (size_t)face->dimension * sizeof(float), 0);
        if (db_finish(op->db, s) < 0)
            return DB_ERROR;
        id = op->d->last_id(op->db);
    }
    return op_gallery_log(op, GALLERY_COUNTER_ADDED, person,
                          id); /* a repetition makes the galleries review the person again */
}

/* Makes the face a counter-example of the person for a client, and removes the person from it. */
int op_deny_face(struct op *op, const struct msg *msg)
{
    const struct store_name_face *m = (const struct store_name_face *)msg;
    struct face *face = arena_alloc(op->arena, sizeof *face);
    struct image *image = arena_alloc(op->arena, sizeof *image);
    const struct decision denied = {.rule = DECIDED_BY_DENIAL, .denied = m->person};
    int result = face_load(op, m->face, face);

    if (result != DB_ROW)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no face %lld", (long long)m->face);
    if ((result = op_person_exists(op, m->person)) != DB_ROW)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)m->person);
    if (face_add_counter(op, face, m->person) < 0)
        return DB_ERROR;
    if (face->person == m->person) {
        if (face_set_person(op, m->face, PERSON_UNKNOWN, face->distance, 0, NULL, &denied, 0) < 0 ||
            op_judge_image(op, face->image) < 0)
            return DB_ERROR;
        op->reply->changed = 1;
    }
    op->reply->id = m->person;
    op->reply->images = image;
    op->reply->image_count = 1;
    return op_load_image(op, face->image, image) < 0 ? DB_ERROR : 0;
}

static int face_set_unknown_person(struct op *op, int64_t face, int64_t unknown_person)
{
    struct db_statement *s =
        db_query(op->db, "UPDATE faces SET unknown_person = ? WHERE id = ? AND unknown_person = 0 AND person = -1");

    op->d->bind_int(s, 1, unknown_person);
    op->d->bind_int(s, 2, face);
    return db_finish(op->db, s);
}

/* Stores decisions of the gallery about faces. A face whose person has changed since is left as it is. */
int op_resolve(struct op *op, const struct msg *msg)
{
    const struct store_resolve *m = (const struct store_resolve *)msg;

    for (int i = 0; i < m->count; i++) {
        const struct resolved *r = &m->faces[i];
        struct db_statement *s;
        int result;

        if (r->person == r->was && !r->again) {
            if (face_set_unknown_person(op, r->face, r->unknown_person) < 0)
                return DB_ERROR;
            continue;
        }
        s = db_query(op->db, "SELECT 1 FROM faces WHERE id = ? AND person = ? AND word = 0");
        op->d->bind_int(s, 1, r->face);
        op->d->bind_int(s, 2, r->was);
        result = db_step(op->db, s);
        op->d->reset(s);
        if (result < 0)
            return result;
        if (result != DB_ROW || (r->person > 0 && op_person_exists(op, r->person) != DB_ROW))
            continue;
        if (face_set_person(op, r->face, r->person, r->distance, r->similarity,
                            op_candidates_text(op, r->candidates, r->candidate_count), &r->decision, r->template) < 0)
            return DB_ERROR;
        if (r->person == r->was)
            continue;
        if (op_judge_image(op, r->image) < 0)
            return DB_ERROR;
        op->reply->changed++;
    }
    return m->again ? op_decided_again(op, m->again) : 0;
}
