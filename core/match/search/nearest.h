/* The list of the nearest people found so far: each once, nearest first. One thread at a time. */
#ifndef KITH_CORE_MATCH_SEARCH_NEAREST_H
#define KITH_CORE_MATCH_SEARCH_NEAREST_H

#include "core/match/hit.h"

struct nearest {
    struct hit *hits; /* capacity for `max`, at least 1; owned by the caller */
    int count, max;
};

/* Adds a template if its person is among the `max` nearest. Of a person's templates the nearest is kept. */
void nearest_keep(struct nearest *n, int64_t person, size_t slot, double distance);

/* The largest distance that can still enter the list: INFINITY until it is full. */
double nearest_reach(const struct nearest *n);

#endif
