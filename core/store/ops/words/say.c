/* A client says something about a face, or takes it back. Each repetition changes nothing. */
#include "core/store/ops/words/words_internal.h"

/* Loads a face and its image; the image stands in the reply. Refuses when there is none. */
static int say_load(struct op *op, int64_t id, struct face **face, struct image **image)
{
    int result;

    *face = arena_alloc(op->arena, sizeof **face);
    *image = arena_alloc(op->arena, sizeof **image);
    result = op_load_face(op, id, *face);
    if (result != DB_ROW || (result = op_load_image(op, (*face)->image, *image)) != 1)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no face %lld", (long long)id);
    return 0;
}

/* Fills in the reply: the image as it is now. */
static int say_reply(struct op *op, struct image *image)
{
    int64_t id = image->id;

    *image = (struct image){0};
    op->reply->images = image;
    op->reply->image_count = 1;
    return op_load_image(op, id, image) < 0 ? DB_ERROR : 0;
}

int words_resolve_person(struct op *op, int64_t given, const char *name, int64_t *person)
{
    bool made;
    int result;

    *person = given;
    result = given ? op_person_exists(op, given) : op_person_by_name(op, name, person, &made);
    if (result < 0)
        return result;
    if (given && result != DB_ROW) {
        *person = 0;
        return op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)given);
    }
    return 0;
}

static int say_set_enrols(struct op *op, struct word *w, bool enrols)
{
    if (w->enrols == enrols)
        return 0;
    w->enrols = enrols;
    op->reply->changed++;
    if (op_run_with_id(op,
                       enrols ? "UPDATE words SET enrols = 1 WHERE id = ?" : "UPDATE words SET enrols = 0 WHERE id = ?",
                       w->id) < 0)
        return DB_ERROR;
    return enrols ? 0 : words_remove_templates(op, w);
}

/* Replaces the word that decides the faces of the place, and decides them. */
static int say_decide(struct op *op, struct face *face, const struct image *image, struct word *w)
{
    struct place_face *faces;
    struct word *words, *before;
    int count;

    if (place_of(op, face, image) < 0 || (count = words_of_place(op, face->place, &words)) < 0)
        return DB_ERROR;
    before = words_deciding(words, count);
    if (before && before->kind == w->kind && before->person == w->person) {
        if (say_set_enrols(op, before, w->enrols) < 0)
            return DB_ERROR;
        return words_enrol(op, before, face);
    }
    if (before && words_remove(op, before) < 0)
        return DB_ERROR;
    for (int i = 0; i < count && w->kind == WORD_NAMED; i++)
        if ((words[i].kind == WORD_NOT || words[i].kind == WORD_NAME_OFF) && words[i].person == w->person &&
            words_remove(op, &words[i]) < 0)
            return DB_ERROR;
    if (words_add(op, face, image->sha256, w) < 0 || words_enrol(op, w, face) < 0 ||
        (count = words_faces(op, face->place, &faces)) < 0)
        return DB_ERROR;
    for (int i = 0; i < count; i++)
        if (words_decide(op, &faces[i], w->kind, w->person, NULL) < 0 || words_once_a_picture(op, faces[i].image) < 0)
            return DB_ERROR;
    return 0;
}

int words_name(struct op *op, struct face *face, const struct image *image, int64_t person, bool enrols,
               const char *said_by)
{
    return say_decide(op, face, image,
                      &(struct word){.kind = WORD_NAMED, .person = person, .enrols = enrols, .said_by = said_by});
}

int op_name_face(struct op *op, const struct msg *msg)
{
    const struct store_name_face *m = (const struct store_name_face *)msg;
    struct face *face;
    struct image *image;
    int64_t person;
    int result = say_load(op, m->face, &face, &image);

    if (result < 0 || (result = words_resolve_person(op, m->person, m->person_name, &person)) < 0)
        return result;
    if (words_name(op, face, image, person, !m->no_template, m->said_by) < 0 ||
        (op->reply->changed && op_event(op, EVENT_PERSON, 0, person) < 0))
        return DB_ERROR;
    op->reply->id = person;
    return say_reply(op, image);
}

/* Takes the name of the person from the faces of the place to which the gallery gave it. */
static int say_take_name(struct op *op, int64_t place, int64_t person)
{
    struct decision denied = {.rule = DECIDED_BY_DENIAL, .denied = person};
    char decision[DECISION_BYTES];
    struct place_face *faces;
    int count = words_faces(op, place, &faces);

    decision_write(&denied, decision);
    for (int i = 0; i < count; i++)
        if (faces[i].person == person && words_unname(op, &faces[i], arena_text(op->arena, decision)) < 0)
            return DB_ERROR;
    return count < 0 ? count : 0;
}

/* A counter-example has the galleries decide the faces that carry the person's name. */
static int say_count_reviewed(struct op *op, int64_t person)
{
    struct db_statement *s = db_query(op->db, "SELECT COUNT(*) FROM faces WHERE person = ? AND word = 0");
    int result;

    op->d->bind_int(s, 1, person);
    if ((result = db_step(op->db, s)) == DB_ROW)
        op->reply->deciding += op->d->column_int(s, 0);
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* The person is not the second person of a face of the place any more. */
static int say_end_doubts(struct op *op, int64_t place)
{
    struct place_face *faces;
    int count = words_faces(op, place, &faces);

    for (int i = 0; i < count; i++)
        if (words_doubt_tell(op, faces[i].id, faces[i].image, &(struct doubt_change){.person = 0}) < 0)
            return DB_ERROR;
    return count < 0 ? count : 0;
}

/* The face does not show the person: with a counter-example (WORD_NOT) or without (WORD_NAME_OFF). */
static int say_not(struct op *op, struct face *face, const struct image *image, int kind, int64_t person,
                   const char *said_by)
{
    struct word *words, *named, w = {.kind = kind, .person = person, .enrols = kind == WORD_NOT, .said_by = said_by};
    bool reviewed = false;
    int count;

    if (place_of(op, face, image) < 0 || (count = words_of_place(op, face->place, &words)) < 0)
        return DB_ERROR;
    named = words_find(words, count, WORD_NAMED, person);
    if (named && words_remove(op, named) < 0)
        return DB_ERROR;
    if (!words_find(words, count, kind, person)) {
        if (words_add(op, face, image->sha256, &w) < 0 || words_enrol(op, &w, face) < 0)
            return DB_ERROR;
        op->reply->changed += kind == WORD_NOT && face->person != person;
        reviewed = kind == WORD_NOT;
    }
    if (say_take_name(op, face->place, person) < 0 || say_end_doubts(op, face->place) < 0)
        return DB_ERROR;
    return reviewed ? say_count_reviewed(op, person) : 0;
}

/* A counter-example or a word against a name goes: the name may come back. */
static int say_not_back(struct op *op, int64_t place, int64_t person)
{
    struct place_face *faces;
    struct word *words;
    int removed = 0, count = words_of_place(op, place, &words);

    for (int i = 0; i < count; i++) {
        if ((words[i].kind != WORD_NOT && words[i].kind != WORD_NAME_OFF) || words[i].person != person)
            continue;
        if (words_remove(op, &words[i]) < 0)
            return DB_ERROR;
        removed++;
    }
    if (removed == 0)
        return count < 0 ? count : 0;
    op->reply->changed += removed;
    if ((count = words_faces(op, place, &faces)) < 0)
        return count;
    for (int i = 0; i < count; i++)
        if (!faces[i].word && op_decide_again(op, AGAIN_FACE, faces[i].id) < 0)
            return DB_ERROR;
    return 0;
}

/* Takes back the word of that kind which decides the place. 1: it was said, 0: not. */
static int say_undecide(struct op *op, int64_t place, int kind)
{
    struct word *words, *before;
    int count = words_of_place(op, place, &words);

    before = count > 0 ? words_deciding(words, count) : NULL;
    if (count < 0 || !before || before->kind != kind)
        return count < 0 ? count : 0;
    if (words_remove(op, before) < 0 || words_release(op, place) < 0)
        return DB_ERROR;
    return 1;
}

/* A box that was drawn: its words and its faces go. */
static int say_erase(struct op *op, const struct face *face)
{
    struct place_face *faces;
    struct word *words;
    int count = face->place ? words_of_place(op, face->place, &words) : 0, face_count;

    if (count < 0)
        return count;
    if (!count || !words_find(words, count, WORD_DRAWN, 0))
        return op_refuse(op, STORE_CONFLICT,
                         "face %lld was not drawn; POST /v1/faces/%lld/not-a-face says that it is none",
                         (long long)face->id, (long long)face->id);
    if ((face_count = words_faces(op, face->place, &faces)) < 0)
        return face_count;
    for (int i = 0; i < count; i++)
        if (words_remove(op, &words[i]) < 0)
            return DB_ERROR;
    for (int i = 0; i < face_count; i++)
        if (op_run_with_id(op, "DELETE FROM faces WHERE id = ?", faces[i].id) < 0 ||
            op_judge_image(op, faces[i].image) < 0)
            return DB_ERROR;
    op->reply->changed += face_count;
    return 0;
}

static int say_take_back(struct op *op, struct face *face, const struct image *image, const struct store_word *m)
{
    int result = 0;

    if (m->kind == WORD_DRAWN)
        return say_erase(op, face);
    if (m->kind == WORD_NOT)
        return face->place ? say_not_back(op, face->place, m->person) : 0;
    if (face->place && (result = say_undecide(op, face->place, m->kind)) != 0)
        return result < 0 ? result : 0;
    if (m->kind == WORD_NAMED && face->person > 0)
        return say_not(op, face, image, WORD_NAME_OFF, face->person, m->said_by);
    if (m->kind == WORD_IGNORED && face->word == WORD_IGNORED)
        return op_refuse(op, STORE_CONFLICT,
                         "the face is ignored with its unknown person; DELETE /v1/unknown/%lld/ignore takes that back",
                         (long long)-face->unknown_person);
    return 0;
}

int op_word(struct op *op, const struct msg *msg)
{
    const struct store_word *m = (const struct store_word *)msg;
    struct word w = {.kind = m->kind, .said_by = m->said_by};
    struct face *face;
    struct image *image;
    int result = say_load(op, m->face, &face, &image);

    if (result < 0)
        return result;
    if (m->kind == WORD_NOT && (result = op_person_exists(op, m->person)) != DB_ROW)
        return result < 0 ? result : op_refuse(op, STORE_NOT_FOUND, "there is no person %lld", (long long)m->person);
    op->reply->id = m->kind == WORD_NOT ? m->person : face->person > 0 ? face->person : 0;
    if (m->take_back)
        result = say_take_back(op, face, image, m);
    else
        result = m->kind == WORD_NOT ? say_not(op, face, image, WORD_NOT, m->person, m->said_by)
                                     : say_decide(op, face, image, &w);
    if (result < 0 || (face->place && (result = place_tidy(op, face->place)) < 0))
        return result;
    return say_reply(op, image);
}
