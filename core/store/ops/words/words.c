/* Rows of the table `words`, and the faces that they decide. */
#include "core/store/ops/words/words_internal.h"

#include <string.h>

#define WORD_COLUMNS "id, kind, face_id, image_id, person_id, x, y, width, height, enrols, said_by, said_at"

static void words_read_row(struct op *op, struct db_statement *s, struct word *w)
{
    const struct db_driver *d = op->d;

    *w = (struct word){.id = d->column_int(s, 0),
                       .kind = (int)d->column_int(s, 1),
                       .place = d->column_int(s, 2),
                       .image = d->column_int(s, 3),
                       .person = d->column_int(s, 4),
                       .x = d->column_real(s, 5),
                       .y = d->column_real(s, 6),
                       .width = d->column_real(s, 7),
                       .height = d->column_real(s, 8),
                       .enrols = d->column_int(s, 9) != 0,
                       .said_by = op_text(op, s, 10),
                       .said_ms = d->column_int(s, 11)};
}

int words_of_place(struct op *op, int64_t place, struct word **list)
{
    struct db_statement *s =
        db_query(op->db, "SELECT " WORD_COLUMNS " FROM words WHERE face_id = ? AND kind > 0 ORDER BY id");
    int count = 0, capacity = 4, result;

    *list = arena_alloc(op->arena, (size_t)capacity * sizeof **list);
    op->d->bind_int(s, 1, place);
    while ((result = db_step(op->db, s)) == DB_ROW) {
        if (count == capacity) {
            struct word *more = arena_alloc(op->arena, (size_t)(capacity *= 2) * sizeof *more);

            memcpy(more, *list, (size_t)count * sizeof *more);
            *list = more;
        }
        words_read_row(op, s, &(*list)[count++]);
    }
    op->d->reset(s);
    return result < 0 ? result : count;
}

struct word *words_deciding(struct word *list, int count)
{
    for (int i = count - 1; i >= 0; i--)
        if (list[i].kind <= WORD_NOT_A_FACE)
            return &list[i];
    return NULL;
}

struct word *words_find(struct word *list, int count, int kind, int64_t person)
{
    for (int i = 0; i < count; i++)
        if (list[i].kind == kind && list[i].person == person)
            return &list[i];
    return NULL;
}

int words_add(struct op *op, const struct face *face, const char *sha256, struct word *w)
{
    struct db_statement *s =
        db_query(op->db, "INSERT INTO words(kind, sha256, image_id, face_id, person_id, x, y, width, height, said_by, "
                         "said_at, enrols) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

    op->d->bind_int(s, 1, w->kind);
    db_bind_text(op->db, s, 2, sha256);
    op->d->bind_int(s, 3, face->image);
    op->d->bind_int(s, 4, face->place);
    op->d->bind_int(s, 5, w->person);
    op->d->bind_real(s, 6, (double)face->x);
    op->d->bind_real(s, 7, (double)face->y);
    op->d->bind_real(s, 8, (double)face->width);
    op->d->bind_real(s, 9, (double)face->height);
    op_bind_text(op, s, 10, w->said_by, SAID_BY_BYTES);
    op->d->bind_int(s, 11, op->now_ms);
    op->d->bind_int(s, 12, w->enrols);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    w->id = op->d->last_id(op->db);
    w->place = face->place;
    w->image = face->image;
    return 0;
}

int words_remove(struct op *op, const struct word *w)
{
    if (words_remove_templates(op, w) < 0)
        return DB_ERROR;
    return op_run_with_id(op, "DELETE FROM words WHERE id = ?", w->id);
}

int words_faces(struct op *op, int64_t place, struct place_face **list)
{
    struct db_statement *s =
        db_query(op->db, "SELECT id, image_id, person, unknown_person, word FROM faces WHERE place = ? AND place > 0 "
                         "ORDER BY id");
    int count = 0, capacity = 4, result;

    *list = arena_alloc(op->arena, (size_t)capacity * sizeof **list);
    op->d->bind_int(s, 1, place);
    while ((result = db_step(op->db, s)) == DB_ROW) {
        if (count == capacity) {
            struct place_face *more = arena_alloc(op->arena, (size_t)(capacity *= 2) * sizeof *more);

            memcpy(more, *list, (size_t)count * sizeof *more);
            *list = more;
        }
        (*list)[count++] = (struct place_face){.id = op->d->column_int(s, 0),
                                               .image = op->d->column_int(s, 1),
                                               .person = op->d->column_int(s, 2),
                                               .unknown_person = op->d->column_int(s, 3),
                                               .word = (int)op->d->column_int(s, 4)};
    }
    op->d->reset(s);
    return result < 0 ? result : count;
}

/* Ignored faces and what is no face have a negative unknown person, so that they are in no list of unknown people. */
int words_decide(struct op *op, const struct place_face *face, int word, int64_t person, const char *decision)
{
    struct db_statement *s = db_query(
        op->db,
        "UPDATE faces SET person = ?, word = ?, distance = CASE WHEN ? > 0 THEN 0 END, similarity = CASE WHEN ? "
        "> 0 THEN 1 END, decision = ?, template_id = 0, doubt = 0, rival = 0, unknown_person = ? WHERE id = ?");
    bool hidden = word == WORD_IGNORED || word == WORD_NOT_A_FACE;
    int64_t unknown = face->unknown_person < 0 ? -face->unknown_person : face->unknown_person;

    person = word == WORD_NAMED ? person : PERSON_UNKNOWN;
    op->d->bind_int(s, 1, person);
    op->d->bind_int(s, 2, word);
    op->d->bind_int(s, 3, person);
    op->d->bind_int(s, 4, person);
    db_bind_text(op->db, s, 5, decision);
    op->d->bind_int(s, 6, hidden ? -unknown : unknown);
    op->d->bind_int(s, 7, face->id);
    if (db_finish(op->db, s) < 0)
        return DB_ERROR;
    op->reply->changed++;
    return op_judge_image(op, face->image);
}

int words_unname(struct op *op, const struct place_face *face, const char *decision)
{
    int64_t unknown = face->unknown_person < 0 ? -face->unknown_person : face->unknown_person;
    int ignored = unknown ? op_unknown_is_ignored(op, unknown) : 0;

    if (ignored < 0 || words_decide(op, face, ignored ? WORD_IGNORED : WORD_NONE, 0, decision) < 0)
        return DB_ERROR;
    return ignored ? 0 : op_decide_again(op, AGAIN_FACE, face->id);
}

int words_release(struct op *op, int64_t place)
{
    struct place_face *faces;
    int count = words_faces(op, place, &faces);

    for (int i = 0; i < count; i++)
        if (faces[i].word && words_unname(op, &faces[i], NULL) < 0)
            return DB_ERROR;
    return count < 0 ? count : 0;
}
