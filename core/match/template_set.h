/* The templates of one model, whose they are, and the exact search for the nearest people. One thread. */
#ifndef KITH_CORE_MATCH_TEMPLATE_SET_H
#define KITH_CORE_MATCH_TEMPLATE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct template_set;

struct hit { /* a person, by the nearest of their templates */
    int64_t person;
    size_t slot; /* of that template, until the shelf is changed */
    double distance;
};

/* `folder` (or NULL) and `memory_max` as of embedding_store_new(). */
struct template_set *template_set_new(const char *model, int dimension, const char *folder, size_t memory_max);
void template_set_free(struct template_set *s);

const char *template_set_model(const struct template_set *s);
int template_set_dimension(const struct template_set *s);
size_t template_set_count(const struct template_set *s);  /* templates */
size_t template_set_people(const struct template_set *s); /* those who have one */
size_t template_set_memory(const struct template_set *s); /* bytes */

/* Copies the embedding; false: one of that id is there already. */
bool template_set_add(struct template_set *s, int64_t id, int64_t person, const float *embedding);
bool template_set_remove(struct template_set *s, int64_t id);
void template_set_remove_person(struct template_set *s, int64_t person);

/* The person of the template of that id, or 0. */
int64_t template_set_owner_of_id(const struct template_set *s, int64_t id);

/* The nearest people to each of `count` probes, one hit each by their nearest template, nearest first: those that a
 * comparison with every template would find. hits[i] has room for `max`; found[i] gets how many there are. `metric` is
 * one of enum match_metric, the same at every call. */
void template_set_search(struct template_set *s, uint32_t metric, const float *const *probes, int count,
                         struct hit *const *hits, int *found, int max);

/* The embedding in a slot; valid until the next call. */
const float *template_set_embedding(struct template_set *s, size_t slot);
int64_t template_set_person(const struct template_set *s, size_t slot);
/* The next template of the same person; after the last comes the first again. */
size_t template_set_next_of(const struct template_set *s, size_t slot);
/* A slot of that person's, or SIZE_MAX. */
size_t template_set_find(const struct template_set *s, int64_t person);

#endif
