#include "actors/known/plan_index.h"
#include "core/base/must.h"

#include <stdlib.h>
#include <string.h>

static uint64_t plan_index_hash(const char *text) /* FNV-1a, 64 bit: http://www.isthe.com/chongo/tech/comp/fnv/ */
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

/* The slot of `key`, or the empty slot where it belongs. */
static int *plan_index_slot(const struct plan_index *index, const char *key)
{
    size_t at = plan_index_hash(key) & index->mask;

    for (; index->slots[at]; at = (at + 1) & index->mask) {
        ++*index->comparisons;
        if (strcmp(index->keys[index->slots[at] - 1], key) == 0)
            break;
    }
    return &index->slots[at];
}

void plan_index_init(struct plan_index *index, int count, uint64_t *comparisons)
{
    size_t size = 16;

    while (size < (size_t)count * 2)
        size *= 2;
    index->mask = size - 1;
    index->comparisons = comparisons;
    index->slots = calloc(size, sizeof *index->slots);
    index->keys = calloc((size_t)count + 1, sizeof *index->keys);
    if (!index->slots || !index->keys)
        out_of_memory();
}

int plan_index_add(struct plan_index *index, const char *key, int number)
{
    int *slot = plan_index_slot(index, key);

    index->keys[number] = key;
    if (*slot == 0)
        *slot = number + 1;
    return *slot - 1;
}

int plan_index_find(const struct plan_index *index, const char *key)
{
    return key ? *plan_index_slot(index, key) - 1 : -1;
}

void plan_index_free(struct plan_index *index)
{
    free(index->slots);
    free(index->keys);
}
