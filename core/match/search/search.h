/* The exact search for the nearest people among the templates of a set. One thread at a time.
 *
 * The quantizer gives a lower bound of the distance of each template. It prunes templates that cannot be in the top k.
 * Only the few that remain are compared by their full embeddings, which may have to be read from a file.
 */
#ifndef KITH_CORE_MATCH_SEARCH_SEARCH_H
#define KITH_CORE_MATCH_SEARCH_SEARCH_H

#include "core/match/hit.h"

struct quantizer;
struct slot_index;
struct embedding_store;

struct search_space { /* the templates that are searched; borrowed */
    struct embedding_store *embeddings;
    struct quantizer *quantizer; /* NULL: every template is compared by its embedding */
    struct slot_index *slots;
    size_t count;
    int dimension;
    uint32_t metric;
};

/* As template_set_search(). `forms`: the probes in the form that the quantizer codes; not read without a quantizer. */
void search_nearest(const struct search_space *a, const float *const *probes, const float *const *forms, int count,
                    struct hit *const *hits, int *found, int max);

#endif
