/* The exact search for the nearest people among templates.
 *
 * Codes tell of each template how near it is at least (codes.h): who is farther than the nearest people found so far is
 * left out. Only the few that are left are compared by their embeddings, which may have to be read from a file. One
 * thread.
 */
#ifndef KITH_CORE_MATCH_SEARCH_SEARCH_H
#define KITH_CORE_MATCH_SEARCH_SEARCH_H

#include "core/match/template_set.h"

struct quantizer;
struct slot_index;
struct embedding_store;

struct search_space { /* the templates; borrowed */
    struct embedding_store *embeddings;
    struct quantizer *quantizer; /* NULL: every template is compared */
    struct slot_index *slots;
    size_t count;
    int dimension;
    uint32_t metric;
};

/* As template_set_search(). `forms`: the probes as the codes were made from, or NULL without codes. */
void search_nearest(const struct search_space *a, const float *const *probes, const float *const *forms, int count,
                    struct hit *const *hits, int *found, int max);

#endif
