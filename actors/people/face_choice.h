/* Which face of a photo is that of the person who is enrolled. Pure functions. */
#ifndef KITH_ACTORS_PEOPLE_FACE_CHOICE_H
#define KITH_ACTORS_PEOPLE_FACE_CHOICE_H

#include "core/base/buf.h"
#include "core/match/face.h"

#include <stddef.h>

/* The face of a photo with bystanders: the only one that looks like the person's other photos; else the one that is
 * `prominence` times as high as each other one and that does not look like another person. The faces are matched with
 * the gallery, or not (person PERSON_UNKNOWN). `person` 0: the person has this name. -1: none stands out, with the
 * reason. */
int face_choose(const struct face *faces, int count, int64_t person, const char *name, double prominence, char *reason,
                size_t size);

enum { FACE_BOX_BYTES = 96 };
/* "x y width height" as a text, and the face that overlaps such a box by half or more (intersection over union); -1:
 * none does. */
void face_box_write(const struct face *face, char box[static FACE_BOX_BYTES]);
int face_find_box(const struct face *faces, int count, const char *box);

/* The faces as a JSON list, so that one can be chosen by its number. */
void face_choice_json(struct buf *out, const struct face *faces, int count);

#endif
