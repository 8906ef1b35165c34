/* Faces nobody knows, the newest of them: which of them are the same stranger. One thread. */
#ifndef KITH_CORE_MATCH_UNKNOWN_PEOPLE_H
#define KITH_CORE_MATCH_UNKNOWN_PEOPLE_H

#include <stdint.h>

struct template_set;
struct unknown_people;

struct unknown_people *unknown_people_new(const char *model, uint32_t metric, int dimension, int max);
void unknown_people_free(struct unknown_people *s);

/* Remembers a face; beyond the maximum the oldest is forgotten. `stranger`: whose it is, or 0: the nearest one's within
 * `threshold`, or a new one's, called by the face. Returns whose. A face that is there already stays whose it is. */
int64_t unknown_people_assign(struct unknown_people *s, double threshold, int64_t face, int64_t unknown_person,
                              const float *embedding);
void unknown_people_forget(struct unknown_people *s, int64_t face);

struct template_set *unknown_people_templates(struct unknown_people *s); /* “person”: the stranger */

#endif
