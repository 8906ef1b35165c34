/* The exact search for the nearest people among templates.
 *
 * Codes tell of each template how near it is at least and at most (codes.h). The nearest people's «at most» bound how
 * far the search reaches; whose «at least» is farther is left out, and only the few that are left at the end are
 * compared by their embeddings, which may have to be read from a file. One thread.
 */
#ifndef KITH_ACTORS_GALLERY_SEARCH_H
#define KITH_ACTORS_GALLERY_SEARCH_H

#include "actors/gallery/shelf.h"

struct codes;
struct owners;
struct rows;

struct search_among { /* the templates; borrowed */
    struct rows *rows;
    struct codes *codes; /* NULL: every template is compared */
    struct owners *owners;
    size_t count;
    int dimension;
    uint32_t metric;
};

/* As shelf_search(). `forms`: the probes as the codes were made from, or NULL without codes. */
void search_nearest(const struct search_among *a, const float *const *probes, const float *const *forms, int count,
                    struct hit *const *hits, int *found, int max);

#endif
