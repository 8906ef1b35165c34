/* The faces of a finished run replace those of the run before. A face that is found in the same place of the same
 * content keeps its id. A face of which a person said something keeps that, and stays when it is not found again. What
 * was said of this content in another image, or before the file changed, is said of this one too. */
#include "core/store/ops/images/face_places.h"
#include "core/store/ops/words/words_internal.h"

#include <string.h>

static void replace_bind_face(struct op *op, struct db_statement *s, const struct face *f)
{
    op->d->bind_real(s, 1, (double)f->x);
    op->d->bind_real(s, 2, (double)f->y);
    op->d->bind_real(s, 3, (double)f->width);
    op->d->bind_real(s, 4, (double)f->height);
    op->d->bind_blob(s, 5, f->landmarks, (size_t)f->landmark_count * 2 * sizeof(float), 0);
    op->d->bind_real(s, 6, (double)f->quality);
    op_bind_text(op, s, 7, f->model, MODEL_BYTES);
    op->d->bind_blob(s, 8, f->embedding, (size_t)f->dimension * sizeof(float), 0);
    db_bind_text(op->db, s, 9, op_candidates_text(op, f->candidates, f->candidate_count));
    op_bind_text(op, s, 10, f->label, PHOTO_NAME_BYTES);
}

static void replace_bind_decision(struct op *op, struct db_statement *s, const struct face *f)
{
    char decision[DECISION_BYTES];

    decision_write(&f->decision, decision);
    op->d->bind_int(s, 11, f->person);
    op->d->bind_real(s, 12, f->distance);
    op->d->bind_real(s, 13, f->similarity);
    /* The text is read when the statement runs. */
    db_bind_text(op->db, s, 14, f->decision.rule ? arena_text(op->arena, decision) : NULL);
    op->d->bind_int(s, 15, f->template);
    op->d->bind_int(s, 16, f->doubt);
    op->d->bind_int(s, 17, f->rival);
}

static int replace_insert_face(struct op *op, int64_t image, int64_t place, const struct face *f, int64_t *id)
{
    struct db_statement *s = db_query(
        op->db, "INSERT INTO faces(x, y, width, height, landmarks, quality, model, embedding, candidates, "
                "label, person, distance, similarity, decision, template_id, doubt, rival, image_id, place) VALUES(?, "
                "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

    replace_bind_face(op, s, f);
    replace_bind_decision(op, s, f);
    op->d->bind_int(s, 18, image);
    op->d->bind_int(s, 19, place);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    *id = op->d->last_id(op->db);
    return 0;
}

/* A face that a word decides keeps its person. */
static int replace_update_face(struct op *op, const struct known_place *k, int64_t place, const struct face *f)
{
    struct db_statement *s;

    if (k->word) {
        s = db_query(op->db, "UPDATE faces SET x = ?, y = ?, width = ?, height = ?, landmarks = ?, quality = ?, model "
                             "= ?, embedding = ?, candidates = ?, label = ?, place = ? WHERE id = ?");
        replace_bind_face(op, s, f);
        op->d->bind_int(s, 11, place);
        op->d->bind_int(s, 12, k->id);
    } else {
        s = db_query(op->db, "UPDATE faces SET x = ?, y = ?, width = ?, height = ?, landmarks = ?, quality = ?, model "
                             "= ?, embedding = ?, candidates = ?, label = ?, person = ?, distance = ?, similarity = ?, "
                             "decision = ?, template_id = ?, doubt = ?, rival = ?, place = ? WHERE id = ?");
        replace_bind_face(op, s, f);
        replace_bind_decision(op, s, f);
        op->d->bind_int(s, 18, place);
        op->d->bind_int(s, 19, k->id);
    }
    return db_finish(op->db, s);
}

/* The stored face, or the words, that belong to a face of the new run; NULL: none. */
static struct known_place *replace_find(struct known_places *p, int first, int last, int face)
{
    for (int i = first; i < last; i++)
        if (p->list[i].found == face)
            return &p->list[i];
    return NULL;
}

/* Stores one face of the new run with the words of its place. */
static int replace_store_face(struct op *op, int64_t image, struct known_places *p, int n, const struct face *from,
                              struct replaced *out)
{
    struct known_place *stored = replace_find(p, 0, p->stored, n), *words = replace_find(p, p->stored, p->count, n);
    struct face f = *from;
    int64_t place = stored && stored->place ? stored->place : words ? words->place : 0, id = stored ? stored->id : 0;
    int word = words ? words->word : WORD_NONE;

    f.image = image;
    f.place = place;
    if (words_admit(op, place, &f) < 0)
        return DB_ERROR;
    if ((stored ? replace_update_face(op, stored, place, &f) : replace_insert_face(op, image, place, &f, &id)) < 0)
        return DB_ERROR;
    f.id = id;
    if (!word && !(stored && stored->word) && words_check_template(op, &f) < 0)
        return DB_ERROR;
    if (word && words_decide(op, &(struct place_face){.id = id, .image = image}, word, words->person, NULL) < 0)
        return DB_ERROR;
    out->said |= place != 0 || (stored && stored->word);
    out->doubted |= f.doubt != 0;
    if (stored && !stored->word && !word && f.person == PERSON_UNKNOWN && /* passes read new faces by their id */
        op_decide_again(op, AGAIN_FACE, id) < 0)
        return DB_ERROR;
    return place ? words_enrol_place(op, place, &f) : 0;
}

/* A place that the new run did not find: a face with words stays. */
static int replace_keep_place(struct op *op, int64_t image, const struct known_place *k, struct replaced *out)
{
    struct face f = {.x = (float)k->box[0],
                     .y = (float)k->box[1],
                     .width = (float)k->box[2],
                     .height = (float)k->box[3],
                     .model = "",
                     .person = PERSON_UNKNOWN};
    int64_t id;

    if (k->id && !k->place)
        return op_run_with_id(op, "DELETE FROM faces WHERE id = ?", k->id);
    if (!k->id && !k->word && !k->drawn)
        return 0;
    out->said = true;
    if (k->id)
        return 0;
    if (replace_insert_face(op, image, k->place, &f, &id) < 0)
        return DB_ERROR;
    return k->word ? words_decide(op, &(struct place_face){.id = id, .image = image}, k->word, k->person, NULL) : 0;
}

int op_replace_faces(struct op *op, const struct store_finish *m, const char *sha256, bool same_bytes,
                     struct replaced *out)
{
    struct known_places places = {.count = 0};
    int result = 0;

    *out = (struct replaced){.said = false};
    if (m->attempt > 1) /* the first run has no faces before it */
        result = same_bytes ? face_places_read_stored(op, m->id, &places)
                            : op_run_with_id(op, "DELETE FROM faces WHERE image_id = ?", m->id);
    if (result < 0 || face_places_read_words(op, m->id, sha256, &places) < 0)
        return DB_ERROR;
    face_places_match(op, &places, m->faces, m->face_count);
    for (int i = 0; i < m->face_count && result >= 0; i++)
        result = replace_store_face(op, m->id, &places, i, &m->faces[i], out);
    for (int i = 0; i < places.count && result >= 0; i++)
        if (places.list[i].found < 0)
            result = replace_keep_place(op, m->id, &places.list[i], out);
    if (op->once_a_picture && result >= 0 && m->face_count > 1) {
        int64_t changed = op->reply->changed;

        result = words_once_a_picture(op, m->id);
        out->said |= op->reply->changed != changed;
    }
    return result < 0 ? result : 0;
}
