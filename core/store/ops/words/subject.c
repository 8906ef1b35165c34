/* Words of a person or an image: to list them, and when it is deleted. */
#include "core/store/ops/words/words_internal.h"

enum { SUBJECT_BATCH = 500, SUBJECT_LIST = 1000 };

int op_words_load(struct op *op, struct image *image)
{
    for (int i = 0; i < image->face_count; i++) {
        struct face *f = &image->faces[i];
        struct word *words;

        if (!f->place)
            continue;
        f->word_count = words_of_place(op, f->place, &words);
        if (f->word_count < 0)
            return f->word_count;
        f->words = words;
        for (int n = 0; n < f->word_count; n++) { /* a few words a face, most of them of one person */
            struct db_statement *s = db_query(op->db, "SELECT name FROM person WHERE id = ?");

            if (!words[n].person)
                continue;
            op->d->bind_int(s, 1, words[n].person);
            if (db_step(op->db, s) == DB_ROW)
                words[n].person_name = op_text(op, s, 0);
            op->d->reset(s);
        }
    }
    return 0;
}

int op_words_of_person(struct op *op, int64_t person)
{
    struct store_reply *r = op->reply;
    struct db_statement *s = db_query(
        op->db,
        "SELECT w.id, w.kind, w.face_id, w.image_id, w.enrols, w.said_by, w.said_at, COALESCE((SELECT MIN(f.id) "
        "FROM faces f WHERE f.place = w.face_id AND f.place > 0 AND f.image_id = w.image_id), 0) FROM words w "
        "WHERE w.person_id = ? AND w.kind IN (1, 4, 5) ORDER BY w.id LIMIT 1000");
    int result = DB_DONE;

    r->words = arena_alloc(op->arena, SUBJECT_LIST * sizeof *r->words);
    op->d->bind_int(s, 1, person);
    while (r->word_count < SUBJECT_LIST && (result = db_step(op->db, s)) == DB_ROW)
        r->words[r->word_count++] = (struct word){.id = op->d->column_int(s, 0),
                                                  .kind = (int)op->d->column_int(s, 1),
                                                  .place = op->d->column_int(s, 2),
                                                  .image = op->d->column_int(s, 3),
                                                  .person = person,
                                                  .enrols = op->d->column_int(s, 4) != 0,
                                                  .said_by = op_text(op, s, 5),
                                                  .said_ms = op->d->column_int(s, 6),
                                                  .face = op->d->column_int(s, 7)};
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* The image of another face of the place, or 0. The faces of the place in w->image do not count, or only not `face`. */
static int subject_other_image(struct op *op, const struct word *w, int64_t face, int64_t *other)
{
    struct db_statement *s =
        db_query(op->db, "SELECT image_id FROM faces WHERE place = ? AND place > 0 AND id <> ? AND "
                         "(image_id <> ? OR ? > 0) ORDER BY id LIMIT 1");
    int result;

    *other = 0;
    op->d->bind_int(s, 1, w->place);
    op->d->bind_int(s, 2, face);
    op->d->bind_int(s, 3, w->image);
    op->d->bind_int(s, 4, face);
    if ((result = db_step(op->db, s)) == DB_ROW)
        *other = op->d->column_int(s, 0);
    op->d->reset(s);
    return result < 0 ? result : 0;
}

/* The word stays with another face of the place, or goes. `face`: the one that is deleted; 0: its whole image is. */
static int subject_leave(struct op *op, const struct word *w, int64_t face)
{
    struct db_statement *s;
    int64_t other;

    if (subject_other_image(op, w, face, &other) < 0)
        return DB_ERROR;
    if (!other)
        return words_remove(op, w);
    s = db_query(op->db, "UPDATE words SET image_id = ? WHERE id = ?");
    op->d->bind_int(s, 1, other);
    op->d->bind_int(s, 2, w->id);
    return db_finish(op->db, s);
}

/* Reads at most a batch of words after `after`. */
static int subject_read(struct op *op, const char *sql, int64_t id, int64_t after, struct word words[SUBJECT_BATCH])
{
    struct db_statement *s = db_query(op->db, sql);
    int count = 0, result = DB_DONE;

    op->d->bind_int(s, 1, id);
    op->d->bind_int(s, 2, after);
    while (count < SUBJECT_BATCH && (result = db_step(op->db, s)) == DB_ROW)
        words[count++] = (struct word){.id = op->d->column_int(s, 0),
                                       .kind = (int)op->d->column_int(s, 1),
                                       .place = op->d->column_int(s, 2),
                                       .image = op->d->column_int(s, 3),
                                       .person = op->d->column_int(s, 4)};
    op->d->reset(s);
    return result < 0 ? result : count;
}

/* `sql` reads words by the id, after a word. */
static int subject_leave_all(struct op *op, const char *sql, int64_t id, int64_t face)
{
    struct word *words = arena_alloc(op->arena, SUBJECT_BATCH * sizeof *words);
    int64_t after = 0;
    int count;

    do {
        count = subject_read(op, sql, id, after, words);
        for (int i = 0; i < count; i++) {
            after = words[i].id;
            if (subject_leave(op, &words[i], face) < 0)
                return DB_ERROR;
        }
    } while (count == SUBJECT_BATCH);
    return count < 0 ? count : 0;
}

int op_words_image_deleted(struct op *op, int64_t image)
{
    return subject_leave_all(op,
                             "SELECT id, kind, face_id, image_id, person_id FROM words WHERE image_id = ? AND image_id "
                             "> 0 AND id > ? ORDER BY id LIMIT 500",
                             image, 0);
}

int op_words_face_deleted(struct op *op, int64_t face)
{
    return subject_leave_all(op,
                             "SELECT id, kind, face_id, image_id, person_id FROM words WHERE face_id = (SELECT place "
                             "FROM faces WHERE id = ?) AND face_id > 0 AND id > ? ORDER BY id LIMIT 500",
                             face, face);
}

int op_words_unknown_deleted(struct op *op, int64_t unknown_person)
{
    return op_run_with_id(op, "DELETE FROM words WHERE person_id = ? AND person_id < 0", -unknown_person);
}

/* The faces that were named get the name of someone else, if they are similar. */
int op_words_person_deleted(struct op *op, int64_t person)
{
    struct word *words = arena_alloc(op->arena, SUBJECT_BATCH * sizeof *words);
    int64_t after = 0;
    int count;

    do {
        count =
            subject_read(op,
                         "SELECT id, kind, face_id, image_id, person_id FROM words WHERE person_id = ? AND person_id "
                         "> 0 AND id > ? ORDER BY id LIMIT 500",
                         person, after, words);
        for (int i = 0; i < count; i++) {
            struct place_face *faces;
            int face_count = words_faces(op, words[i].place, &faces);

            after = words[i].id;
            for (int n = 0; n < face_count; n++)
                if (!faces[n].word && op_decide_again(op, AGAIN_FACE, faces[n].id) < 0)
                    return DB_ERROR;
            if (face_count < 0 || op_run_with_id(op, "DELETE FROM words WHERE id = ?", words[i].id) < 0 ||
                place_tidy(op, words[i].place) < 0)
                return DB_ERROR;
        }
    } while (count == SUBJECT_BATCH);
    return count < 0 ? count : 0;
}
