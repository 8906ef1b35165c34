#include "core/match/unknown_people.h"

#include "core/base/must.h"
#include "core/match/template_set.h"

#include <stdlib.h>

struct unknown_people {
    struct template_set *templates;
    uint32_t metric;
    int64_t *faces; /* ids: a ring buffer of `max`, oldest first */
    int max, first, count;
};

struct unknown_people *unknown_people_new(const char *model, uint32_t metric, int dimension, int max)
{
    struct unknown_people *s = calloc(1, sizeof *s);

    if (!s)
        out_of_memory();
    s->templates = template_set_new(model, dimension, NULL, 0);
    s->metric = metric;
    s->max = max;
    s->faces = calloc((size_t)max, sizeof *s->faces);
    if (!s->faces)
        out_of_memory();
    return s;
}

void unknown_people_free(struct unknown_people *s)
{
    if (!s)
        return;
    template_set_free(s->templates);
    free(s->faces);
    free(s);
}

struct template_set *unknown_people_templates(struct unknown_people *s)
{
    return s->templates;
}

static int64_t unknown_people_nearest(struct unknown_people *s, double threshold, const float *embedding)
{
    struct hit hit, *hits = &hit;
    int found;

    template_set_search(s->templates, s->metric, &embedding, 1, &hits, &found, 1);
    return found && hit.distance <= threshold ? hit.person : 0;
}

int64_t unknown_people_assign(struct unknown_people *s, double threshold, int64_t face, int64_t unknown_person,
                              const float *embedding)
{
    int64_t known = template_set_owner_of_id(s->templates, face);

    if (known)
        return known;
    if (!unknown_person && !(unknown_person = unknown_people_nearest(s, threshold, embedding)))
        unknown_person = face;
    if (s->count == s->max && face < s->faces[s->first]) /* older than all that are kept */
        return unknown_person;
    if (s->count == s->max) {
        template_set_remove(s->templates, s->faces[s->first]); /* unless unknown_people_forget() did */
        s->first = (s->first + 1) % s->max;
        s->count--;
    }
    s->faces[(s->first + s->count++) % s->max] = face;
    template_set_add(s->templates, face, unknown_person, embedding);
    return unknown_person;
}

void unknown_people_forget(struct unknown_people *s, int64_t face)
{
    template_set_remove(s->templates, face);
}
