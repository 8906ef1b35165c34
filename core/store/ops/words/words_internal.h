/* What people said about faces.
 *
 *   words.c      rows of the table `words`, and the faces that they decide
 *   place.c      which faces have which words
 *   enrol.c      templates and counter-examples of words
 *   say.c        a face is named, denied, ignored, or no face; takes words back
 *   unknown.c    the same for all faces of an unknown person
 *   draw.c       a box that a client drew
 *   admit.c      which names the gallery may give to a face
 *   doubt.c      names in doubt, and the images for review
 *   resolve.c    decisions of the gallery
 *   subject.c    words of a person or an image that is deleted or listed
 *
 * A word belongs to a place: a box in a picture of that content (SHA-256). The faces of all images of that content that
 * overlap with the box have this place (faces.place), and so they have the same words. Functions return 0 or a count,
 * or a negative db_result. */
#ifndef KITH_CORE_STORE_OPS_WORDS_INTERNAL_H
#define KITH_CORE_STORE_OPS_WORDS_INTERNAL_H

#include "core/store/store_internal.h"

/* Intersection over union from which two boxes are the same face. */
#define PLACE_OVERLAP 0.5
enum { SAID_BY_BYTES = 255 };

struct place_face { /* a face of a place */
    int64_t id, image, person, unknown_person;
    int word;
};

/* --- words.c --- */

/* All words of a place, oldest first, without the names of people. Not those that a merge keeps for its undoing (kind
 * negative). */
int words_of_place(struct op *op, int64_t place, struct word **list);
/* The word that decides the faces of the place, or NULL. */
struct word *words_deciding(struct word *list, int count);
struct word *words_find(struct word *list, int count, int kind, int64_t person);
/* Stores `w` (its kind, person, enrols, said_by) as said of the face. Sets the rest of `w`. */
int words_add(struct op *op, const struct face *face, const char *sha256, struct word *w);
/* Deletes the word and its template. */
int words_remove(struct op *op, const struct word *w);
int words_faces(struct op *op, int64_t place, struct place_face **list);
/* The face gets this word (one that decides; WORD_NONE: none, and no name) and, named, this person. Judges its image.
 * `decision`: NULL when it was not compared. */
int words_decide(struct op *op, const struct place_face *face, int word, int64_t person, const char *decision);
/* No word decides the faces of the place any more: the galleries decide those that had one. */
int words_release(struct op *op, int64_t place);
/* The gallery decides the face instead of the name that it has. */
int words_unname(struct op *op, const struct place_face *face, const char *decision);

/* --- place.c --- */

/* How much two boxes overlap, 0 to 1. Boxes of no size are the same: the recogniser gives none. */
double place_overlap(const double a[static 4], const double b[static 4]);
/* The place of the face, made when it has none. */
int place_of(struct op *op, struct face *face, const struct image *image);
/* Forgets the place when it has no words. */
int place_tidy(struct op *op, int64_t place);

/* --- enrol.c --- */

/* Makes the template of the word of this embedding, unless there is one; replaces one of another embedding of the same
 * model. */
int words_enrol(struct op *op, const struct word *w, const struct face *face);
/* Removes the templates of the word; what depended on them is decided again. */
int words_remove_templates(struct op *op, const struct word *w);
/* Does words_enrol() for each word of the place. */
int words_enrol_place(struct op *op, int64_t place, const struct face *face);

/* --- say.c --- */

/* Finds the person, or creates it by its name. 0 or negative. */
int words_resolve_person(struct op *op, int64_t given, const char *name, int64_t *person);
/* Names a face that was loaded with its image. */
int words_name(struct op *op, struct face *face, const struct image *image, int64_t person, bool enrols,
               const char *said_by);

/* --- admit.c --- */

enum { BLOCKED_MAX = 256 };
struct blocked { /* people whose name the face must not get */
    int64_t people[BLOCKED_MAX];
    int count;
};

/* Adds the people that words deny the place; 0: no place. */
int words_read_blocked(struct op *op, int64_t place, struct blocked *b);
bool words_blocks(const struct blocked *b, int64_t person);
/* The best of the face's candidates that words allow; `f` gets it as its person, or none. Sets its doubt. */
int words_admit(struct op *op, int64_t place, struct face *f);
/* The stored face was decided by a template that has gone since: it is decided again. */
int words_check_template(struct op *op, const struct face *f);
/* With KITH_ONCE_A_PICTURE: of several faces of a person the most similar one keeps the name. */
int words_once_a_picture(struct op *op, int64_t image);

/* --- doubt.c --- */

enum { DOUBT_BATCH = 500 };
struct doubt_change { /* a person who is deleted (`now` 0) or becomes the person `now`, in this transaction or a later
                         one */
    int64_t person, now; /* person 0: nobody */
};

/* Sets `doubt` and `rival` of a face by its candidates. People who are blocked are no rivals. */
int words_doubt(struct op *op, const struct blocked *blocked, const struct doubt_change *change, struct face *f);
/* Judges the stored face again, unless a word decides it. 1: its doubt has changed, 0: not, or negative. The caller has
 * the image judged. */
int words_doubt_again(struct op *op, int64_t face, const struct doubt_change *change);
/* The same, with the image and its event. */
int words_doubt_tell(struct op *op, int64_t face, int64_t image, const struct doubt_change *change);
/* The same for a batch of the faces in doubt between their person and change->person. Their ids are written into
 * `faces`, DOUBT_BATCH. Returns their number. */
int words_doubt_rivals(struct op *op, const struct doubt_change *change, int64_t *faces);

#endif
