/* Which faces of a new run are those of the run before, or have words: by the overlap of their boxes. */
#ifndef KITH_CORE_STORE_OPS_IMAGES_FACE_PLACES_H
#define KITH_CORE_STORE_OPS_IMAGES_FACE_PLACES_H

#include "core/store/store_internal.h"

struct known_place {
    int64_t id;    /* of the stored face; 0: words of this content, which has no face here yet */
    int64_t place; /* of its words, or 0 */
    int word;      /* enum face_word that decides it */
    int64_t person;
    bool drawn;
    double box[4]; /* x, y, width, height */
    int found;     /* index of the face of the new run; -1: none */
};

struct known_places {
    struct known_place *list;
    int count, stored; /* the first `stored` have a face */
};

/* The stored faces of the image. */
int face_places_read_stored(struct op *op, int64_t image, struct known_places *p);
/* Adds the places of the content that no stored face has. */
int face_places_read_words(struct op *op, int64_t image, const char *sha256, struct known_places *p);
/* Assigns places to faces, the pair that overlaps most first; stored faces before words alone. */
void face_places_match(struct op *op, struct known_places *p, const struct face *faces, int count);

#endif
