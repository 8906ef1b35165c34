/* Reads of faces across images: unknown faces, faces of a person, and the unknown people. By key, never a scan. */
#include "core/store/store_internal.h"

int op_embedded_faces(struct op *op, struct db_statement *s, int limit)
{
    struct store_reply *r = op->reply;
    int result = DB_DONE;

    r->faces = arena_alloc(op->arena, (size_t)limit * sizeof(struct face) + 1);
    while (r->face_count < limit && (result = db_step(op->db, s)) == DB_ROW) {
        struct face *f = &r->faces[r->face_count++];
        size_t len;
        const void *blob;

        r->next = f->id = op->d->column_int(s, 0);
        f->image = op->d->column_int(s, 1);
        f->model = op_text(op, s, 2);
        if ((blob = op->d->column_blob(s, 3, &len))) {
            f->dimension = (int)(len / sizeof(float));
            f->embedding = (const float *)(const void *)arena_copy(op->arena, blob, len);
        }
        f->quality = (float)op->d->column_real(s, 4);
        f->person = op->d->column_int(s, 5);
        f->unknown_person = op->d->column_int(s, 6);
        f->distance = op->d->column_real(s, 7);
        f->word = (int)op->d->column_int(s, 8);
    }
    op->d->reset(s);
    r->more = r->face_count == limit;
    return result < 0 ? result : 0;
}

int op_load_face(struct op *op, int64_t id, struct face *face)
{
    struct db_statement *s =
        db_query(op->db, "SELECT " FACE_COLUMNS " FROM faces f LEFT JOIN person p ON p.id = f.person WHERE f.id = ?");
    int result;

    op->d->bind_int(s, 1, id);
    result = db_step(op->db, s);
    if (result == DB_ROW)
        op_face_row(op, s, face);
    op->d->reset(s);
    if (result == DB_ROW && op_name_candidates(op, &(struct image){.faces = face, .face_count = 1}, 1) < 0)
        return DB_ERROR;
    return result;
}

int op_face(struct op *op, const struct msg *msg)
{
    int result;

    op->reply->faces = arena_alloc(op->arena, sizeof(struct face));
    result = op_load_face(op, ((const struct store_id *)msg)->id, op->reply->faces);
    op->reply->face_count = result == DB_ROW;
    return result == DB_ROW ? 0 : result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no such face");
}

/* Faces without a person, by id: they are decided again after an enrolment. Ignored ones are among them: an unknown
 * person who is ignored must be recognised. */
int op_unknown_faces(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct db_statement *s =
        db_query(op->db, EMBEDDED_FACES "person = -1 AND word IN (0, 2) AND id > ? ORDER BY id LIMIT ?");

    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, m->limit);
    return op_embedded_faces(op, s, m->limit);
}

/* Faces that the gallery assigned to the person. Not those that a person decided. */
int op_person_faces(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct db_statement *s = db_query(op->db, EMBEDDED_FACES "person = ? AND id > ? AND word = 0 ORDER BY id LIMIT ?");

    op->d->bind_int(s, 1, m->person);
    op->d->bind_int(s, 2, m->after);
    op->d->bind_int(s, 3, m->limit);
    return op_embedded_faces(op, s, m->limit);
}

int op_unknown_people(struct op *op, const struct msg *msg)
{
    const struct store_list *m = (const struct store_list *)msg;
    struct store_reply *r = op->reply;
    struct db_statement *s =
        db_query(op->db, "SELECT g.unknown_person, g.faces, g.face, f.image_id FROM (SELECT unknown_person, COUNT(*) "
                         "AS faces, MIN(id) AS "
                         "face FROM faces WHERE unknown_person > 0 AND unknown_person > ? AND person = -1 GROUP BY "
                         "unknown_person ORDER BY "
                         "unknown_person LIMIT ?) g JOIN faces f ON f.id = g.face ORDER BY g.unknown_person");
    int result = DB_DONE;

    op->d->bind_int(s, 1, m->after);
    op->d->bind_int(s, 2, m->limit + 1);
    r->unknown_people = arena_alloc(op->arena, (size_t)(m->limit + 1) * sizeof(struct unknown_person));
    while (r->unknown_person_count <= m->limit && (result = db_step(op->db, s)) == DB_ROW)
        r->unknown_people[r->unknown_person_count++] = (struct unknown_person){.id = op->d->column_int(s, 0),
                                                                               .faces = op->d->column_int(s, 1),
                                                                               .face = op->d->column_int(s, 2),
                                                                               .image = op->d->column_int(s, 3)};
    op->d->reset(s);
    if (r->unknown_person_count > m->limit) {
        r->unknown_person_count = m->limit;
        r->next = r->unknown_people[m->limit - 1].id;
    }
    return result < 0 ? result : 0;
}
