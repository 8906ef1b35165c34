/* Faces whose recogniser gave a label and no embedding. A label is the name of a photo (person_images) or of a person.
 * A face whose label names neither is unknown and keeps the label. When such a photo or person comes, from kith or from
 * another program, the face gets its person: the janitor asks for it again and again, label after label. */
#include "core/store/ops/words/words_internal.h"

#include <assert.h>
#include <string.h>

static_assert(WORD_NOT == 4 && WORD_NAME_OFF == 5, "numbers in a statement below");
enum { LABELS_BATCH = 64, FACES_BATCH = 500 };

/* The person of the first photo with that name, else the only person of that name. 1: found, 0: not, or negative. */
static int label_find_person(struct op *op, const char *label, int64_t *person)
{
    struct db_statement *s = db_query(op->db, "SELECT p.id FROM person_images pi JOIN person p ON p.id = pi.person_id "
                                              "WHERE pi.image_name = ? ORDER BY pi.id LIMIT 1");
    int result;

    op_bind_text(op, s, 1, label, PHOTO_NAME_BYTES);
    if ((result = db_step(op->db, s)) == DB_ROW)
        *person = op->d->column_int(s, 0);
    op->d->reset(s);
    if (result != DB_DONE)
        return result;
    if ((result = op_find_alike(op, label, 0)) == 1)
        *person = op->reply->alike[0].id;
    op->reply->alike_count = 0;
    return result < 0 ? result : result == 1;
}

/* The next label of an unknown face, in the arena; NULL: none. A negative db_result, or 0. */
static int label_read_next(struct op *op, const char *after, const char **label)
{
    struct db_statement *s =
        db_query(op->db, "SELECT label FROM faces WHERE person = -1 AND label > ? AND word = 0 ORDER BY label LIMIT 1");
    int result;

    db_bind_text(op->db, s, 1, after);
    result = db_step(op->db, s);
    *label = result == DB_ROW ? op_text(op, s, 0) : NULL;
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* The distance and the similarity were stored with the label. */
static int label_name_face(struct op *op, const struct face *f, int64_t person)
{
    struct db_statement *s = db_query(op->db, "UPDATE faces SET person = ?, unknown_person = 0 WHERE id = ? AND person "
                                              "= -1 AND word = 0");

    op->d->bind_int(s, 1, person);
    op->d->bind_int(s, 2, f->id);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    op->reply->changed += op->d->changes(op->db);
    if (words_doubt_again(op, f->id, &(struct doubt_change){.person = 0}) < 0)
        return DB_ERROR;
    return op_judge_image(op, f->image);
}

/* Names a batch of the faces with that label, but those that words (4: WORD_NOT, 5: WORD_NAME_OFF) deny the person. */
static int label_name_faces(struct op *op, const char *label, int64_t person)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id, image_id FROM faces WHERE person = -1 AND label = ? AND word = 0 AND NOT "
                         "EXISTS(SELECT 1 FROM words w WHERE w.face_id = faces.place AND faces.place > 0 AND w.kind IN "
                         "(4, 5) AND w.person_id = ?) LIMIT 500");
    struct face *faces = arena_alloc(op->arena, FACES_BATCH * sizeof *faces);
    int count = 0, result = DB_DONE;

    db_bind_text(op->db, s, 1, label);
    op->d->bind_int(s, 2, person);
    for (; count < FACES_BATCH && (result = db_step(op->db, s)) == DB_ROW; count++)
        faces[count] = (struct face){.id = op->d->column_int(s, 0), .image = op->d->column_int(s, 1)};
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0; i++)
        result = label_name_face(op, &faces[i], person);
    op->reply->more = count == FACES_BATCH;
    return result < 0 ? result : 0;
}

int op_resolve_labels(struct op *op, const struct msg *msg)
{
    const char *at = ((const struct store_text *)msg)->text, *label;
    const char **texts = arena_alloc(op->arena, sizeof *texts);
    int64_t person;
    int result = op_adopt_people(op);

    for (int i = 0; i < LABELS_BATCH && result >= 0; i++) {
        if ((result = label_read_next(op, at, &label)) < 0 || !label)
            return result;
        if ((result = label_find_person(op, label, &person)) == DB_ROW)
            result = label_name_faces(op, label, person);
        if (op->reply->more) /* the same label again */
            break;
        at = label;
    }
    texts[0] = at;
    op->reply->texts = texts;
    op->reply->text_count = 1;
    return result < 0 ? result : 0;
}
