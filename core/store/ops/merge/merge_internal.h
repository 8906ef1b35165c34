/* What the files of merges share.
 *
 * A merge moves what person A has to person B, in batches: templates, faces, then the rest, and deletes A. What it
 * moved stands in merge_rows, so that it can be undone; each batch is one transaction, and a repeated request continues
 * where the last one ended.
 *
 *            first batch        last batch            undo: first batch       last batch
 *   (none) ─────────────▶ RUNNING ────────▶ DONE ─────────────────▶ UNDOING ─────────▶ UNDONE
 *                            │               │ after KITH_MERGE_UNDO      ▲
 *                            │               └──▶ PRUNING ──▶ KEPT        │
 *                            └────────────────────────────────────────────┘ undo
 *
 * What both people have is parked: it belongs to nobody until it is restored, or deleted with the rows of the merge.
 * A parked template has person_id 0, a photo NULL, a word the negative of its kind. */
#ifndef KITH_CORE_STORE_OPS_MERGE_INTERNAL_H
#define KITH_CORE_STORE_OPS_MERGE_INTERNAL_H

#include "core/store/store_internal.h"

enum merge_state { MERGE_RUNNING = 1, MERGE_DONE, MERGE_UNDOING, MERGE_UNDONE, MERGE_KEPT, MERGE_PRUNING };

/* The rows that a merge moved, and `other` of each. */
enum merge_kind {
    MERGE_FACE = 1,        /* its word (enum face_word) */
    MERGE_TEMPLATE,        /* moved */
    MERGE_COUNTER,         /* a counter-example, moved */
    MERGE_PHOTO,           /* moved */
    MERGE_WORD,            /* moved */
    MERGE_PARKED_TEMPLATE, /* the template of B that has the same photo */
    MERGE_PARKED_PHOTO,
    MERGE_PARKED_COUNTER, /* the person of whom it was a counter-example */
    MERGE_PARKED_WORD,    /* the person whom it named */
    MERGE_DENIED_FACE,    /* of A, and it has a word that it is not B: it has lost its name */
    MERGE_DOUBT           /* A was the second person of this face, whose name is in doubt */
};

enum { MERGE_FACES = 500, MERGE_TEMPLATES = 100, MERGE_WORDS = 200 }; /* a batch */

struct merge {
    int64_t id, person, into, state, said_ms;
    const char *name, *notes, *said_by;
    int64_t portrait_photo, portrait_face;
    int64_t faces, photos, templates, words, duplicates;
};

#define MERGE_COLUMNS                                                                                                  \
    "m.id, m.person_id, m.into_id, m.state, m.name, m.notes, m.portrait_photo, m.portrait_face, m.faces, m.photos, "   \
    "m.templates, m.words, m.duplicates, m.said_by, m.said_at FROM merges m "

/* A word that the face is not this person (4: WORD_NOT, 5: WORD_NAME_OFF). Parameter: the person. */
#define MERGE_IS_DENIED                                                                                                \
    "EXISTS(SELECT 1 FROM words w WHERE w.face_id = f.place AND f.place > 0 AND w.kind IN (4, 5) AND w.person_id = ?)"

struct place_face;

void merge_read_row(struct op *op, struct db_statement *s, struct merge *m);
/* DB_ROW, DB_DONE or negative. */
int merge_load(struct op *op, int64_t id, struct merge *m);
/* The newest merge of the person, whatever its state. */
int merge_load_latest(struct op *op, int64_t person, struct merge *m);
/* Merged, and not undone. */
bool merge_is_done(const struct merge *m);
int merge_set_state(struct op *op, int64_t id, enum merge_state state);
/* Adds to the counts of the merge. */
int merge_count(struct op *op, int64_t id, int64_t faces, int64_t templates, int64_t duplicates);
int merge_record(struct op *op, int64_t id, enum merge_kind kind, int64_t row, int64_t other);
int merge_forget_record(struct op *op, int64_t id, enum merge_kind kind, int64_t row);
/* Keeps other nodes from changing the two people until the end of the transaction. */
int merge_lock_people(struct op *op, int64_t first, int64_t second);
/* Runs a statement with up to four numbers. */
int merge_run(struct op *op, const char *sql, const int64_t *values, int count);
#define MERGE_RUN(op, sql, ...)                                                                                        \
    merge_run(op, sql, (const int64_t[]){__VA_ARGS__}, (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))
/* Gives a face to a person and judges its image. */
int merge_move_face(struct op *op, const struct merge *m, int64_t face, int64_t image, int64_t person);
/* Gives a template to a person, for the galleries too. `from` 0: it was parked. */
int merge_move_template(struct op *op, int64_t template, int64_t from, int64_t to, bool counter);
/* Takes a template away from its person without deleting it. */
int merge_park_template(struct op *op, int64_t template, int64_t person, bool counter);
/* undo.c: gives a batch of the faces that have the name through the template back. Returns their number. */
int merge_return_faces(struct op *op, const struct merge *m, int64_t template);
/* merge_words.c: moves a batch of the words of the person. Returns their number; 0: none is left. */
int merge_words(struct op *op, const struct merge *m);
/* The same for the words that go back. */
int merge_undo_words(struct op *op, const struct merge *m);
/* A face that a gallery named is denied the person: it loses the name, and is decided again. */
int merge_deny_face(struct op *op, const struct merge *m, const struct place_face *face, int64_t person);
/* Has the galleries review the faces of a person that has counter-examples. */
int merge_review(struct op *op, int64_t person);
void merge_fill(const struct merge *m, struct person_merge *to);
/* The merge as the reply's only one. */
void merge_reply(struct op *op, const struct merge *m);

#endif
