#include "core/match/search/nearest.h"

#include <stdbool.h>

#include <math.h>

/* Slots change with removals, and probes meet them in different orders: the person decides between equal distances. */
static bool nearest_is_before(int64_t person, double distance, const struct hit *other)
{
    return distance < other->distance || (distance == other->distance && person < other->person);
}

void nearest_keep(struct nearest *n, int64_t person, size_t slot, double distance)
{
    int at = 0;

    if (n->count == n->max && !nearest_is_before(person, distance, &n->hits[n->max - 1]))
        return;
    while (at < n->count && n->hits[at].person != person)
        at++;
    if (at < n->count && n->hits[at].distance <= distance)
        return;
    if (at == n->count && n->count < n->max)
        n->count++;
    else if (at == n->count)
        at = n->max - 1;
    for (; at > 0 && nearest_is_before(person, distance, &n->hits[at - 1]); at--)
        n->hits[at] = n->hits[at - 1];
    n->hits[at] = (struct hit){.person = person, .slot = slot, .distance = distance};
}

double nearest_reach(const struct nearest *n)
{
    return n->count == n->max ? n->hits[n->max - 1].distance : INFINITY;
}
