/* The templates in memory and the search for the nearest people. One thread at a time. */
#ifndef KITH_ACTORS_GALLERY_INDEX_H
#define KITH_ACTORS_GALLERY_INDEX_H

#include "core/store/store.h"

struct gallery_index;

struct gallery_index *gallery_index_new(void);
void gallery_index_free(struct gallery_index *g);
void gallery_index_clear(struct gallery_index *g);

/* Copies the template. One of an id that is there already is ignored. */
void gallery_index_add(struct gallery_index *g, const struct template *t);
void gallery_index_remove_person(struct gallery_index *g, int64_t person);
void gallery_index_remove_template(struct gallery_index *g, int64_t id);
size_t gallery_index_size(const struct gallery_index *g); /* templates */

/* The nearest people of that model, one entry each by their nearest template, nearest first. Fills at most `max` of
 * `out` (person and distance) and returns how many. `metric` is one of enum kith_metric. */
int gallery_index_nearest(const struct gallery_index *g, const char *model, uint32_t metric, const float *probe,
                          int dimension, struct candidate *out, int max);

/* The distance of two embeddings: L2: sqrt(sum (a-b)^2); cosine: 1 - a·b / (|a| |b|); chi-square: sum 2 (a-b)^2 / (a+b)
 * over the parts where a+b > 0 (OpenCV's HISTCMP_CHISQR_ALT). */
double embedding_distance(uint32_t metric, const float *a, const float *b, int dimension);

/* A distance on a scale that is the same for every recogniser: 1 / (1 + exp(8 (d / t - 1))); 0.5 at the threshold t,
 * 0.9997 at 0, 0.018 at 1.5 t. */
double similarity_of(double distance, double threshold);

#endif
