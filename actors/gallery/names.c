/* What people are called, by their ids. */
#include "actors/gallery/gallery_internal.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct name {
    int64_t id;
    char *text;
    UT_hash_handle hh;
};

void gallery_remember_name(struct gallery *g, int64_t id, const char *text)
{
    struct name *n;

    HASH_FIND(hh, g->names, &id, sizeof id, n);
    if (!n) {
        n = calloc(1, sizeof *n);
        if (!n)
            abort();
        n->id = id;
        HASH_ADD(hh, g->names, id, sizeof n->id, n);
    }
    free(n->text);
    n->text = strdup(text);
    if (!n->text)
        abort();
}

void gallery_forget_name(struct gallery *g, int64_t id)
{
    struct name *n;

    HASH_FIND(hh, g->names, &id, sizeof id, n);
    if (!n)
        return;
    HASH_DEL(g->names, n);
    free(n->text);
    free(n);
}

const char *gallery_name_of(const struct gallery *g, int64_t id)
{
    struct name *n;

    HASH_FIND(hh, g->names, &id, sizeof id, n);
    return n ? n->text : NULL;
}

int64_t gallery_person_named(const struct gallery *g, const char *text)
{
    for (const struct name *n = g->names; n; n = n->hh.next)
        if (strcmp(n->text, text) == 0)
            return n->id;
    return PERSON_UNKNOWN;
}

void gallery_forget_names(struct gallery *g)
{
    struct name *n, *next;

    HASH_ITER(hh, g->names, n, next)
    {
        HASH_DEL(g->names, n);
        free(n->text);
        free(n);
    }
}
