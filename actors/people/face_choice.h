/* Which face of a photo is that of the person who is enrolled. Pure functions. */
#ifndef KITH_ACTORS_PEOPLE_FACE_CHOICE_H
#define KITH_ACTORS_PEOPLE_FACE_CHOICE_H

#include "core/base/buf.h"
#include "core/match/face.h"

#include <stddef.h>

/* The default of `prominence` (KITH_ENROLL_PROMINENCE, 1.4) comes from half of the photos of LFW's development people
 * that show several faces (94 of 1,950; detector hog, whose boxes come in steps of 1.2; an empty gallery). The labelled
 * face is the one in the middle:
 *
 *   prominence   1.0   1.1   1.2   1.3   1.4   1.5
 *   enrolled      94    75    56    36    35     7
 *   wrong face    16     5     3     3     2     1
 *
 * LFW's photos are cut around one head, so that bystanders in them are about as large. */

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

/* The face whose centre is in the box of `drawn` and nearest to the centre of that box; NULL: there is none. */
const struct face *face_find_drawn(const struct face *faces, int count, const struct face *drawn);

/* The faces as a JSON list, so that one can be chosen by its number. */
void face_choice_json(struct buf *out, const struct face *faces, int count);

#endif
