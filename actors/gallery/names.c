#include "actors/gallery/names.h"

#include "core/base/must.h"
#include "core/match/face.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct gallery_name {
    int64_t id;
    char *text;
    UT_hash_handle hh; /* by id */
    UT_hash_handle by_text;
};

static struct gallery_name *gallery_names_entry(const struct gallery_names *n, int64_t id)
{
    struct gallery_name *e;

    HASH_FIND(hh, n->by_id, &id, sizeof id, e);
    return e;
}

void gallery_names_remove(struct gallery_names *n, int64_t id)
{
    struct gallery_name *e = gallery_names_entry(n, id);

    if (!e)
        return;
    assert(n->by_id && n->by_text); /* every entry is in both tables */
    HASH_DELETE(hh, n->by_id, e);
    HASH_DELETE(by_text, n->by_text, e);
    free(e->text);
    free(e);
}

void gallery_names_set(struct gallery_names *n, int64_t id, const char *text)
{
    struct gallery_name *e = gallery_names_entry(n, id);

    if (e && strcmp(e->text, text) == 0)
        return;
    gallery_names_remove(n, id);
    e = must(calloc(1, sizeof *e));
    e->id = id;
    e->text = must(strdup(text));
    HASH_ADD(hh, n->by_id, id, sizeof e->id, e);
    HASH_ADD_KEYPTR(by_text, n->by_text, e->text, strlen(e->text), e);
}

void gallery_names_clear(struct gallery_names *n)
{
    while (n->by_id)
        gallery_names_remove(n, n->by_id->id);
}

const char *gallery_names_get(const struct gallery_names *n, int64_t id)
{
    const struct gallery_name *e = gallery_names_entry(n, id);

    return e ? e->text : NULL;
}

int64_t gallery_names_find(const struct gallery_names *n, const char *text)
{
    struct gallery_name *e;
    int64_t least;

    HASH_FIND(by_text, n->by_text, text, strlen(text), e);
    if (!e)
        return PERSON_UNKNOWN;
    least = e->id;
    /* uthash finds the first of several equal keys; the others follow in the same bucket. */
    for (const UT_hash_handle *h = e->by_text.hh_next; h; h = h->hh_next)
        if (h->keylen == strlen(text) && memcmp(h->key, text, h->keylen) == 0) {
            const struct gallery_name *other = ELMT_FROM_HH(n->by_text->by_text.tbl, h);

            least = other->id < least ? other->id : least;
        }
    return least;
}
