/* Unknown people: the newest unknown faces, grouped by person. One thread at a time. */
#ifndef KITH_CORE_MATCH_UNKNOWN_PEOPLE_H
#define KITH_CORE_MATCH_UNKNOWN_PEOPLE_H

#include <stdint.h>

struct template_set;
struct unknown_people;

/* Keeps at most `max` faces with embeddings of `dimension` floats. `metric`: enum match_metric. */
struct unknown_people *unknown_people_new(const char *model, uint32_t metric, int dimension, int max);
void unknown_people_free(struct unknown_people *s); /* NULL is fine */

/* Keeps a face, and drops the oldest one beyond the maximum. A face older than all that are kept is not kept. Returns
 * the unknown person of the face: the one it has already, else `unknown_person` if it is not 0, else the nearest one
 * within `threshold` (a distance), else a new one with the face's id. */
int64_t unknown_people_assign(struct unknown_people *s, double threshold, int64_t face, int64_t unknown_person,
                              const float *embedding);
void unknown_people_forget(struct unknown_people *s, int64_t face);

/* The faces as templates; hit.person is the unknown person. Borrowed. */
struct template_set *unknown_people_templates(struct unknown_people *s);

#endif
