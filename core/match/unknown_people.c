#include "core/match/unknown_people.h"

#include "core/match/template_set.h"

#include <stdlib.h>

struct strangers {
    struct shelf *shelf;
    uint32_t metric;
    int64_t *faces; /* a ring: in the order in which they came */
    int max, first, count;
};

struct strangers *strangers_new(const char *model, uint32_t metric, int dimension, int max)
{
    struct strangers *s = calloc(1, sizeof *s);

    if (!s)
        abort();
    s->shelf = shelf_new(model, dimension, NULL, 0);
    s->metric = metric;
    s->max = max;
    s->faces = calloc((size_t)max, sizeof *s->faces);
    if (!s->faces)
        abort();
    return s;
}

void strangers_free(struct strangers *s)
{
    if (!s)
        return;
    shelf_free(s->shelf);
    free(s->faces);
    free(s);
}

struct shelf *strangers_shelf(struct strangers *s)
{
    return s->shelf;
}

static int64_t nearest(struct strangers *s, double threshold, const float *embedding)
{
    struct hit hit, *hits = &hit;
    int found;

    shelf_search(s->shelf, s->metric, &embedding, 1, &hits, &found, 1);
    return found && hit.distance <= threshold ? hit.person : 0;
}

int64_t strangers_meet(struct strangers *s, double threshold, int64_t face, int64_t stranger, const float *embedding)
{
    int64_t known = shelf_owner_of_id(s->shelf, face);

    if (known)
        return known;
    if (!stranger && !(stranger = nearest(s, threshold, embedding)))
        stranger = face;
    if (s->count == s->max && face < s->faces[s->first]) /* older than all that is remembered */
        return stranger;
    if (s->count == s->max) {
        shelf_remove(s->shelf, s->faces[s->first]); /* it may be gone already */
        s->first = (s->first + 1) % s->max;
        s->count--;
    }
    s->faces[(s->first + s->count++) % s->max] = face;
    shelf_add(s->shelf, face, stranger, embedding);
    return stranger;
}

void strangers_forget(struct strangers *s, int64_t face)
{
    shelf_remove(s->shelf, face);
}
