#include "core/match/search/nearest.h"

#include <math.h>

void nearest_keep(struct nearest *n, int64_t person, size_t slot, double distance)
{
    int at = 0;

    if (n->count == n->max && distance >= n->hits[n->max - 1].distance)
        return;
    while (at < n->count && n->hits[at].person != person)
        at++;
    if (at < n->count && n->hits[at].distance <= distance)
        return;
    if (at == n->count && n->count < n->max)
        n->count++;
    else if (at == n->count)
        at = n->max - 1;
    for (; at > 0 && n->hits[at - 1].distance > distance; at--)
        n->hits[at] = n->hits[at - 1];
    n->hits[at] = (struct hit){.person = person, .slot = slot, .distance = distance};
}

double nearest_reach(const struct nearest *n)
{
    return n->count == n->max ? n->hits[n->max - 1].distance : INFINITY;
}
