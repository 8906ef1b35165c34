/* Words about a person who is merged: they become words about the other person, with their templates, and go back when
 * the merge is undone. The faces of their places follow them. */
#include "core/store/ops/merge/merge_internal.h"
#include "core/store/ops/words/words_internal.h"

#include <assert.h>

static_assert(WORD_NAMED == 1 && WORD_NOT == 4 && WORD_NAME_OFF == 5 && MERGE_WORD == 5 && MERGE_PARKED_WORD == 9,
              "numbers in the statements below");

enum { WORD_TEMPLATES = 64 }; /* of one word: one for each model that was ever used */

/* The templates of the word that are the person's. Returns their number. */
static int merge_word_templates(struct op *op, int64_t word, int64_t person, int64_t ids[static WORD_TEMPLATES])
{
    struct db_statement *s = db_query(
        op->db, "SELECT id FROM templates WHERE word_id = ? AND word_id > 0 AND person_id = ? ORDER BY id LIMIT 64");
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, word);
    op->d->bind_int(s, 2, person);
    while (count < WORD_TEMPLATES && (result = db_step(op->db, s)) == DB_ROW)
        ids[count++] = op->d->column_int(s, 0);
    op->d->reset(s);
    return result < 0 ? result : count;
}

int merge_deny_face(struct op *op, const struct merge *m, const struct place_face *face, int64_t person)
{
    const struct decision denied = {.rule = DECIDED_BY_DENIAL, .denied = person};
    char text[DECISION_BYTES];

    decision_write(&denied, text);
    if (words_unname(op, face, arena_text(op->arena, text)) < 0)
        return DB_ERROR;
    return m->state == MERGE_RUNNING ? merge_record(op, m->id, MERGE_DENIED_FACE, face->id, 0) : 0;
}

/* A word denies the person to the faces of the place: those that a gallery gave to it lose the name. */
static int merge_deny_place(struct op *op, const struct merge *m, int64_t place, int64_t person)
{
    struct place_face *faces;
    int count = words_faces(op, place, &faces);

    for (int i = 0; i < count; i++)
        if (faces[i].word == WORD_NONE && faces[i].person == person && merge_deny_face(op, m, &faces[i], person) < 0)
            return DB_ERROR;
    return count < 0 ? count : 0;
}

/* --- merging --- */

static int merge_park_word(struct op *op, const struct merge *m, const struct word *w)
{
    int64_t ids[WORD_TEMPLATES];
    int count = merge_word_templates(op, w->id, w->person, ids);

    for (int i = 0; i < count; i++)
        if (merge_park_template(op, ids[i], w->person, true) < 0 ||
            merge_record(op, m->id, MERGE_PARKED_COUNTER, ids[i], w->person) < 0)
            return DB_ERROR;
    if (count < 0 || MERGE_RUN(op, "UPDATE words SET kind = -kind WHERE id = ? AND kind > 0", w->id) < 0)
        return DB_ERROR;
    return merge_record(op, m->id, MERGE_PARKED_WORD, w->id, w->person);
}

static int merge_move_word(struct op *op, const struct merge *m, const struct word *w)
{
    int64_t ids[WORD_TEMPLATES];
    int count = w->kind == WORD_NOT ? merge_word_templates(op, w->id, m->person, ids) : 0;

    for (int i = 0; i < count; i++)
        if (merge_move_template(op, ids[i], m->person, m->into, true) < 0 ||
            merge_record(op, m->id, MERGE_COUNTER, ids[i], 0) < 0)
            return DB_ERROR;
    if (count < 0 || MERGE_RUN(op, "UPDATE words SET person_id = ? WHERE id = ?", m->into, w->id) < 0)
        return DB_ERROR;
    return merge_record(op, m->id, MERGE_WORD, w->id, 0);
}

/* A name by hand and a merge together outweigh the older word that the face is not that person. */
static int merge_name(struct op *op, const struct merge *m, const struct word *w, struct word *words, int count)
{
    for (int i = 0; i < count; i++)
        if ((words[i].kind == WORD_NOT || words[i].kind == WORD_NAME_OFF) && words[i].person == m->into &&
            merge_park_word(op, m, &words[i]) < 0)
            return DB_ERROR;
    return merge_move_word(op, m, w);
}

/* Returns 1 when the word has moved, 0 when it was parked. */
static int merge_word(struct op *op, const struct merge *m, const struct word *w)
{
    struct word *words;
    int count = words_of_place(op, w->place, &words);

    if (count < 0)
        return count;
    if (w->kind == WORD_NAMED)
        return merge_name(op, m, w, words, count) < 0 ? DB_ERROR : 1;
    if (words_find(words, count, WORD_NAMED, m->into) || words_find(words, count, w->kind, m->into))
        return merge_park_word(op, m, w);
    if (merge_move_word(op, m, w) < 0 || merge_deny_place(op, m, w->place, m->into) < 0)
        return DB_ERROR;
    return 1;
}

int merge_words(struct op *op, const struct merge *m)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id, kind, face_id FROM words WHERE person_id = ? AND kind > 0 ORDER BY id LIMIT 200");
    struct word *words = arena_alloc(op->arena, MERGE_WORDS * sizeof *words);
    int count = 0, moved = 0, result = DB_DONE;

    op->d->bind_int(s, 1, m->person);
    for (; count < MERGE_WORDS && (result = db_step(op->db, s)) == DB_ROW; count++)
        words[count] = (struct word){.id = op->d->column_int(s, 0),
                                     .kind = (int)op->d->column_int(s, 1),
                                     .place = op->d->column_int(s, 2),
                                     .person = m->person};
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0; i++) {
        result = merge_word(op, m, &words[i]);
        moved += result > 0;
    }
    if (result < 0 || MERGE_RUN(op, "UPDATE merges SET words = words + ? WHERE id = ?", moved, m->id) < 0)
        return DB_ERROR;
    return count;
}

/* --- undoing --- */

struct undo_word {
    int64_t kind;     /* of merge_rows */
    struct word word; /* kind 0: it is gone */
};

/* A template that the word has got since the merge goes with it. */
static int merge_late_templates(struct op *op, const struct merge *m, const struct word *w)
{
    int64_t ids[WORD_TEMPLATES];
    int count = merge_word_templates(op, w->id, m->into, ids), result = 0;

    for (int i = 0; i < count; i++) {
        while (w->kind == WORD_NAMED && (result = merge_return_faces(op, m, ids[i])) == MERGE_FACES)
            ;
        if (result < 0 || merge_move_template(op, ids[i], m->into, m->person, w->kind == WORD_NOT) < 0)
            return DB_ERROR;
    }
    return count < 0 ? count : 0;
}

static int merge_undo_moved(struct op *op, const struct merge *m, const struct word *w)
{
    struct place_face *faces;
    int count;

    if (w->kind <= 0 || w->person != m->into)
        return 0;
    if (merge_late_templates(op, m, w) < 0 ||
        MERGE_RUN(op, "UPDATE words SET person_id = ? WHERE id = ?", m->person, w->id) < 0)
        return DB_ERROR;
    if (w->kind != WORD_NAMED)
        return merge_deny_place(op, m, w->place, m->person);
    if ((count = words_faces(op, w->place, &faces)) < 0)
        return count;
    for (int i = 0; i < count; i++)
        if (faces[i].word == WORD_NAMED && merge_move_face(op, m, faces[i].id, faces[i].image, m->person) < 0)
            return DB_ERROR;
    return 0;
}

/* A parked word that a later name by hand contradicts is gone. */
static int merge_undo_parked(struct op *op, const struct merge *m, const struct word *parked)
{
    struct word w = *parked, *words;
    int count;

    if (w.kind >= 0)
        return 0;
    w.kind = -w.kind;
    if ((count = words_of_place(op, w.place, &words)) < 0)
        return count;
    if (words_find(words, count, WORD_NAMED, w.person))
        return words_remove(op, &w);
    if (MERGE_RUN(op, "UPDATE words SET kind = ? WHERE id = ?", w.kind, w.id) < 0)
        return DB_ERROR;
    return merge_deny_place(op, m, w.place, w.person);
}

int merge_undo_words(struct op *op, const struct merge *m)
{
    struct db_statement *s = db_query(
        op->db, "SELECT r.row_id, r.kind, COALESCE(w.kind, 0), COALESCE(w.person_id, 0), COALESCE(w.face_id, "
                "0) FROM merge_rows r LEFT JOIN words w ON w.id = r.row_id WHERE r.merge_id = ? AND r.kind IN (5, 9) "
                "ORDER BY r.kind, r.row_id LIMIT 200");
    struct undo_word *rows = arena_alloc(op->arena, MERGE_WORDS * sizeof *rows);
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, m->id);
    for (; count < MERGE_WORDS && (result = db_step(op->db, s)) == DB_ROW; count++)
        rows[count] = (struct undo_word){.kind = op->d->column_int(s, 1),
                                         .word = {.id = op->d->column_int(s, 0),
                                                  .kind = (int)op->d->column_int(s, 2),
                                                  .person = op->d->column_int(s, 3),
                                                  .place = op->d->column_int(s, 4)}};
    op->d->reset(s);
    for (int i = 0; i < count && result >= 0; i++) {
        const struct undo_word *r = &rows[i];

        result = r->kind == MERGE_WORD ? merge_undo_moved(op, m, &r->word) : merge_undo_parked(op, m, &r->word);
        if (result >= 0)
            result = merge_forget_record(op, m->id, (enum merge_kind)r->kind, r->word.id);
    }
    return result < 0 ? result : count;
}
