/* A list of the nearest people, each once, nearest first. */
#ifndef KITH_CORE_MATCH_SEARCH_NEAREST_H
#define KITH_CORE_MATCH_SEARCH_NEAREST_H

#include "core/match/template_set.h"

struct nearest {
    struct hit *hits; /* room for `max`, at least 1; whoever made the list owns it */
    int count, max;
};

/* Keeps a template's distance if it is among the `max` nearest people's; of a person's templates the nearest is kept.
 */
void nearest_keep(struct nearest *n, int64_t person, size_t slot, double distance);

/* Who is farther is not among them: INFINITY while there is room. */
double nearest_reach(const struct nearest *n);

#endif
