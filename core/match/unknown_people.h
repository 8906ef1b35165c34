/* Faces nobody knows, the newest of them: which of them are the same stranger. One thread. */
#ifndef KITH_CORE_MATCH_UNKNOWN_PEOPLE_H
#define KITH_CORE_MATCH_UNKNOWN_PEOPLE_H

#include <stdint.h>

struct shelf;
struct strangers;

struct strangers *strangers_new(const char *model, uint32_t metric, int dimension, int max);
void strangers_free(struct strangers *s);

/* Remembers a face; beyond the maximum the oldest is forgotten. `stranger`: whose it is, or 0: the nearest one's within
 * `threshold`, or a new one's, called by the face. Returns whose. A face that is there already stays whose it is. */
int64_t strangers_meet(struct strangers *s, double threshold, int64_t face, int64_t stranger, const float *embedding);
void strangers_forget(struct strangers *s, int64_t face);

struct shelf *strangers_shelf(struct strangers *s); /* “person”: the stranger */

#endif
