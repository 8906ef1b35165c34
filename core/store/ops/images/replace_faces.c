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

/* The gallery decides the face again when the template that gave it its name has gone. `admitted`: words let it have
 * the name of another candidate, whose template was not read. */
static int replace_check_template(struct op *op, const struct face *f, bool stale, bool admitted)
{
    if (admitted)
        return words_check_template(op, f);
    return stale && f->person > 0 ? op_decide_again(op, AGAIN_FACE, f->id) : 0;
}

/* Stores one face of the new run with the words of its place. */
static int replace_store_face(struct op *op, const struct finished_run *run, struct known_places *p, int n,
                              struct replaced *out)
{
    const struct face *from = &run->faces[n];
    const int64_t image = run->image;
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
    if (!word && !(stored && stored->word) &&
        replace_check_template(op, &f, run->stale[n], f.person != from->person) < 0)
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

/* The face of a drawn box was embedded for the image in which it was drawn. Other images have the same content. */
static int replace_copy_embedding(struct op *op, int64_t place, struct face *f)
{
    struct db_statement *s = db_query(
        op->db, "SELECT id FROM faces WHERE place = ? AND place > 0 AND embedding IS NOT NULL ORDER BY id LIMIT 1");
    struct face from = {0};
    int64_t id = 0;
    int result;

    op->d->bind_int(s, 1, place);
    if ((result = db_step(op->db, s)) == DB_ROW)
        id = op->d->column_int(s, 0);
    op->d->reset(s);
    if (result == DB_ROW)
        result = op_load_face(op, id, &from);
    if (result != DB_ROW)
        return result;
    f->landmarks = from.landmarks;
    f->landmark_count = from.landmark_count;
    f->quality = from.quality;
    f->model = from.model;
    f->embedding = from.embedding;
    f->dimension = from.dimension;
    return 0;
}

static int replace_insert_place(struct op *op, int64_t image, const struct known_place *k)
{
    struct face f = {.x = (float)k->box[0],
                     .y = (float)k->box[1],
                     .width = (float)k->box[2],
                     .height = (float)k->box[3],
                     .model = "",
                     .person = PERSON_UNKNOWN};
    int64_t id;

    if (replace_copy_embedding(op, k->place, &f) < 0 || replace_insert_face(op, image, k->place, &f, &id) < 0)
        return DB_ERROR;
    if (k->word)
        return words_decide(op, &(struct place_face){.id = id, .image = image}, k->word, k->person, NULL);
    return f.embedding ? op_decide_again(op, AGAIN_FACE, id) : 0;
}

/* A place that the new run did not find: a face with words stays. */
static int replace_keep_place(struct op *op, int64_t image, const struct known_place *k, struct replaced *out)
{
    if (k->id && !k->place)
        return op_run_with_id(op, "DELETE FROM faces WHERE id = ?", k->id);
    if (!k->id && !k->word && !k->drawn)
        return 0;
    out->said = true;
    return k->id ? 0 : replace_insert_place(op, image, k);
}

int op_replace_faces(struct op *op, const struct finished_run *run, struct replaced *out)
{
    struct known_places places = {.count = 0};
    int result = 0;

    *out = (struct replaced){.said = false};
    if (run->attempt > 1) /* the first run has no faces before it */
        result = run->same_bytes ? face_places_read_stored(op, run->image, &places)
                                 : op_run_with_id(op, "DELETE FROM faces WHERE image_id = ?", run->image);
    if (result < 0 || (run->words && face_places_read_words(op, run->image, run->sha256, &places) < 0))
        return DB_ERROR;
    face_places_match(op, &places, run->faces, run->face_count);
    for (int i = 0; i < run->face_count && result >= 0; i++)
        result = replace_store_face(op, run, &places, i, out);
    for (int i = 0; i < places.count && result >= 0; i++)
        if (places.list[i].found < 0)
            result = replace_keep_place(op, run->image, &places.list[i], out);
    if (op->once_a_picture && result >= 0 && run->face_count > 1) {
        int64_t changed = op->reply->changed;

        result = words_once_a_picture(op, run->image);
        out->said |= op->reply->changed != changed;
    }
    return result < 0 ? result : 0;
}
