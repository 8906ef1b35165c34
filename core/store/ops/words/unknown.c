/* Words about all faces of an unknown person: a name, or that the person is ignored. In batches: the caller repeats the
 * request while the reply says `more`. */
#include "core/store/ops/words/words_internal.h"

enum { UNKNOWN_BATCH = 500, UNKNOWN_TEMPLATES = 3 };

int op_unknown_is_ignored(struct op *op, int64_t unknown_person)
{
    struct db_statement *s = db_query(op->db, "SELECT 1 FROM words WHERE person_id = ? AND kind = 2 LIMIT 1");
    int result;

    op->d->bind_int(s, 1, -unknown_person);
    result = db_step(op->db, s);
    op->d->reset(s);
    return result < 0 ? result : result == DB_ROW;
}

struct unknown_faces {
    int64_t ids[UNKNOWN_BATCH + 1], images[UNKNOWN_BATCH + 1];
};

/* Runs a query of faces and their images with one parameter. Returns their number, at most UNKNOWN_BATCH + 1. */
static int unknown_read_faces(struct op *op, const char *sql, int64_t unknown_person, struct unknown_faces *faces)
{
    struct db_statement *s = db_query(op->db, sql);
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, unknown_person);
    while (count <= UNKNOWN_BATCH && (result = db_step(op->db, s)) == DB_ROW) {
        faces->images[count] = op->d->column_int(s, 1);
        faces->ids[count++] = op->d->column_int(s, 0);
    }
    op->d->reset(s);
    return result < 0 ? result : count;
}

static int unknown_name_face(struct op *op, int64_t id, int64_t person, bool enrols, const char *said_by)
{
    struct face face = {0};
    struct image image = {0};
    int result = op_load_face(op, id, &face);

    if (result == DB_ROW)
        result = op_load_image(op, face.image, &image);
    if (result != 1)
        return result < 0 ? result : 0;
    return words_name(op, &face, &image, person, enrols, said_by);
}

/* Names the faces with the best quality, which become templates. Returns their number. */
static int unknown_name_best(struct op *op, const struct store_name_face *m, int64_t person)
{
    struct unknown_faces faces;
    int count = unknown_read_faces(
        op,
        "SELECT id, image_id FROM faces WHERE unknown_person = ? AND unknown_person > 0 AND person = -1 "
        "ORDER BY quality DESC, id LIMIT 3",
        m->face, &faces);

    for (int i = 0; i < count; i++)
        if (unknown_name_face(op, faces.ids[i], person, true, m->said_by) < 0)
            return DB_ERROR;
    return count;
}

int op_name_unknown_person(struct op *op, const struct msg *msg)
{
    const struct store_name_face *m = (const struct store_name_face *)msg;
    struct unknown_faces faces;
    int64_t person;
    int count, best = 0, result = words_resolve_person(op, m->person, m->person_name, &person);

    if (result < 0)
        return result;
    if (!m->no_template && !m->next_batch && (best = unknown_name_best(op, m, person)) < 0)
        return best;
    count = unknown_read_faces(
        op,
        "SELECT id, image_id FROM faces WHERE unknown_person = ? AND unknown_person > 0 AND person = -1 ORDER "
        "BY id LIMIT 501",
        m->face, &faces);
    if (count < 0)
        return count;
    if (count + best == 0 && !m->next_batch) /* between two batches the gallery may have assigned the last faces */
        return op_refuse(op, STORE_NOT_FOUND, "there is no unknown person %lld", (long long)m->face);
    op->reply->more = count > UNKNOWN_BATCH - best;
    for (int i = 0; i < count && i < UNKNOWN_BATCH - best; i++)
        if (unknown_name_face(op, faces.ids[i], person, false, m->said_by) < 0)
            return DB_ERROR;
    op->reply->id = person;
    if (op_event(op, EVENT_PERSON, 0, person) < 0)
        return DB_ERROR;
    return op_batch_done(op, &(struct unfinished){UNFINISHED_NAME, m->face, person, m->said_by});
}

/* --- ignore --- */

static int unknown_set_ignored(struct op *op, const struct store_word *m)
{
    struct face none = {.image = 0};
    struct word w = {.kind = WORD_IGNORED, .person = -m->face, .said_by = m->said_by};
    int ignored = op_unknown_is_ignored(op, m->face);

    if (ignored < 0 || ignored == !m->take_back)
        return ignored < 0 ? ignored : 0;
    if (!m->take_back)
        return words_add(op, &none, NULL, &w);
    return op_run_with_id(op, "DELETE FROM words WHERE person_id = ? AND kind = 2", -m->face);
}

static int unknown_exists(struct op *op, int64_t unknown_person)
{
    struct db_statement *s =
        db_query(op->db, "SELECT 1 FROM faces WHERE unknown_person = ? AND unknown_person > 0 AND person = -1 LIMIT 1");
    int result;

    op->d->bind_int(s, 1, unknown_person);
    result = db_step(op->db, s);
    op->d->reset(s);
    return result == DB_DONE ? op_unknown_is_ignored(op, unknown_person) : result;
}

/* A face that a client ignored by itself stays ignored when that of the unknown person is taken back. */
int op_ignore_unknown_person(struct op *op, const struct msg *msg)
{
    const struct store_word *m = (const struct store_word *)msg;
    struct unknown_faces faces;
    int count, result = m->next_batch || m->take_back ? 1 : unknown_exists(op, m->face);

    if (result != 1)
        return result < 0 ? result
                          : op_refuse(op, STORE_NOT_FOUND, "there is no unknown person %lld", (long long)m->face);
    if (unknown_set_ignored(op, m) < 0)
        return DB_ERROR;
    count = m->take_back
                ? unknown_read_faces(
                      op,
                      "SELECT id, image_id FROM faces WHERE unknown_person = ? AND unknown_person < 0 AND word = 2 AND "
                      "NOT EXISTS(SELECT 1 FROM words w WHERE w.face_id = faces.place AND w.kind = 2 AND "
                      "faces.place > 0) ORDER BY id LIMIT 501",
                      -m->face, &faces)
                : unknown_read_faces(
                      op,
                      "SELECT id, image_id FROM faces WHERE unknown_person = ? AND unknown_person > 0 AND person = -1 "
                      "AND word = 0 ORDER BY id LIMIT 501",
                      m->face, &faces);
    op->reply->more = count > UNKNOWN_BATCH;
    for (int i = 0; i < count && i < UNKNOWN_BATCH; i++) {
        if (op_run_with_id(op,
                           m->take_back ? "UPDATE faces SET word = 0, unknown_person = -unknown_person WHERE id = ?"
                                        : "UPDATE faces SET word = 2, unknown_person = -unknown_person WHERE id = ?",
                           faces.ids[i]) < 0 ||
            (m->take_back && op_decide_again(op, AGAIN_FACE, faces.ids[i]) < 0))
            return DB_ERROR;
        op->reply->changed++;
    }
    op->reply->id = m->face;
    if (count < 0)
        return count;
    if (op_events(op, EVENT_IMAGE, faces.images, count > UNKNOWN_BATCH ? UNKNOWN_BATCH : count) < 0)
        return DB_ERROR;
    return op_batch_done(
        op, &(struct unfinished){m->take_back ? UNFINISHED_UNIGNORE : UNFINISHED_IGNORE, m->face, 0, m->said_by});
}
