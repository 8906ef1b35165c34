/* The templates of one model, whose they are, and the exact search for the nearest people. One thread. */
#ifndef KITH_CORE_MATCH_TEMPLATE_SET_H
#define KITH_CORE_MATCH_TEMPLATE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shelf;

struct hit { /* a person, by the nearest of their templates */
    int64_t person;
    size_t slot; /* of that template, until the shelf is changed */
    double distance;
};

/* `folder` (or NULL) and `memory_max` as of rows_new(). */
struct shelf *shelf_new(const char *model, int dimension, const char *folder, size_t memory_max);
void shelf_free(struct shelf *s);

const char *shelf_model(const struct shelf *s);
int shelf_dimension(const struct shelf *s);
size_t shelf_count(const struct shelf *s);  /* templates */
size_t shelf_people(const struct shelf *s); /* those who have one */
size_t shelf_memory(const struct shelf *s); /* bytes */

/* Copies the embedding; false: one of that id is there already. */
bool shelf_add(struct shelf *s, int64_t id, int64_t person, const float *embedding);
bool shelf_remove(struct shelf *s, int64_t id);
void shelf_remove_person(struct shelf *s, int64_t person);

/* The person of the template of that id, or 0. */
int64_t shelf_owner_of_id(const struct shelf *s, int64_t id);

/* The nearest people to each of `count` probes, one hit each by their nearest template, nearest first: those that a
 * comparison with every template would find. hits[i] has room for `max`; found[i] gets how many there are. `metric` is
 * one of enum match_metric, the same at every call. */
void shelf_search(struct shelf *s, uint32_t metric, const float *const *probes, int count, struct hit *const *hits,
                  int *found, int max);

/* The embedding in a slot; valid until the next call. */
const float *shelf_embedding(struct shelf *s, size_t slot);
int64_t shelf_person(const struct shelf *s, size_t slot);
/* The next template of the same person; after the last comes the first again. */
size_t shelf_next_of(const struct shelf *s, size_t slot);
/* A slot of that person's, or SIZE_MAX. */
size_t shelf_find(const struct shelf *s, int64_t person);

#endif
