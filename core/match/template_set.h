/* The templates of one model, their people, and the exact search for the nearest people. One thread at a time. */
#ifndef KITH_CORE_MATCH_TEMPLATE_SET_H
#define KITH_CORE_MATCH_TEMPLATE_SET_H

#include "core/match/hit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct template_set;

/* Embeddings of `dimension` floats. `folder` (or NULL) and `memory_max` (bytes) as of embedding_store_new(). */
struct template_set *template_set_new(const char *model, int dimension, const char *folder, size_t memory_max);
void template_set_free(struct template_set *s);

const char *template_set_model(const struct template_set *s);
int template_set_dimension(const struct template_set *s);
size_t template_set_count(const struct template_set *s);  /* templates */
size_t template_set_people(const struct template_set *s); /* people with a template */
size_t template_set_memory(const struct template_set *s); /* bytes */

/* Copies the embedding. False: there is a template of that id already. */
bool template_set_add(struct template_set *s, int64_t id, int64_t person, const float *embedding);
bool template_set_remove(struct template_set *s, int64_t id); /* false: there is none */
void template_set_remove_person(struct template_set *s, int64_t person);

/* The person of the template with that id, or 0. */
int64_t template_set_owner_of_id(struct template_set *s, int64_t id);

/* Finds the nearest people of each of `count` probes: one hit a person, by the nearest template, nearest first; of
 * equal distances the smaller id of a person first. The result is that of a comparison with every template. hits[i] has
 * capacity for `max`; found[i] is set to the number of hits. `metric`: enum match_metric, the same in every call. */
void template_set_search(struct template_set *s, uint32_t metric, const float *const *probes, int count,
                         struct hit *const *hits, int *found, int max);

/* The embedding in a slot, `dimension` floats; valid until the next call. */
const float *template_set_embedding(struct template_set *s, size_t slot);
int64_t template_set_person(const struct template_set *s, size_t slot);
int64_t template_set_id(const struct template_set *s, size_t slot); /* of the template in a slot */
/* The slot of the person's next template; after the last one comes the first. */
size_t template_set_next_of(const struct template_set *s, size_t slot);
/* A slot of the person, or SIZE_MAX. */
size_t template_set_find(const struct template_set *s, int64_t person);

#endif
