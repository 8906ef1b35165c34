#include "core/match/index.h"

#include "core/base/must.h"
#include "core/match/search/distance.h"
#include "core/match/template_set.h"

#include <stdlib.h>
#include <string.h>

struct index_set {
    struct index_set *next;
    enum index_kind kind;
    struct template_set *templates;
};

struct gallery_index {
    struct index_set *sets;
    const char *folder;
    size_t memory_max;
};

struct gallery_index *gallery_index_new(const char *folder, size_t memory_max)
{
    struct gallery_index *g = calloc(1, sizeof *g);

    if (!g)
        out_of_memory();
    g->folder = folder;
    g->memory_max = memory_max;
    return g;
}

void gallery_index_clear(struct gallery_index *g)
{
    for (struct index_set *p = g->sets, *next; p; p = next) {
        next = p->next;
        template_set_free(p->templates);
        free(p);
    }
    g->sets = NULL;
}

void gallery_index_free(struct gallery_index *g)
{
    if (g)
        gallery_index_clear(g);
    free(g);
}

struct template_set *gallery_index_template_set(const struct gallery_index *g, enum index_kind kind, const char *model,
                                                int dimension)
{
    for (struct index_set *p = g->sets; p; p = p->next)
        if (p->kind == kind && template_set_dimension(p->templates) == dimension &&
            strcmp(template_set_model(p->templates), model) == 0)
            return p->templates;
    return NULL;
}

void gallery_index_add(struct gallery_index *g, enum index_kind kind, const struct template *t)
{
    struct template_set *templates = gallery_index_template_set(g, kind, t->model, t->dimension);
    struct index_set *p;

    if (!embedding_is_sane(0, t->embedding, t->dimension))
        return;
    if (!templates) {
        p = calloc(1, sizeof *p);
        if (!p)
            out_of_memory();
        templates = p->templates = template_set_new(t->model, t->dimension, g->folder, g->memory_max);
        p->kind = kind;
        p->next = g->sets;
        g->sets = p;
    }
    template_set_add(templates, t->id, t->person, t->embedding);
}

void gallery_index_remove_person(struct gallery_index *g, int64_t person)
{
    for (struct index_set *p = g->sets; p; p = p->next)
        template_set_remove_person(p->templates, person);
}

void gallery_index_remove_template(struct gallery_index *g, int64_t id)
{
    for (struct index_set *p = g->sets; p; p = p->next)
        template_set_remove(p->templates, id);
}

size_t gallery_index_size(const struct gallery_index *g)
{
    size_t n = 0;

    for (struct index_set *p = g->sets; p; p = p->next)
        n += p->kind == INDEX_TEMPLATES ? template_set_count(p->templates) : 0;
    return n;
}

size_t gallery_index_memory(const struct gallery_index *g)
{
    size_t n = 0;

    for (struct index_set *p = g->sets; p; p = p->next)
        n += template_set_memory(p->templates);
    return n;
}
