/* A lookup of texts by hash. Of one thread. */
#ifndef KITH_ACTORS_KNOWN_PLAN_INDEX_H
#define KITH_ACTORS_KNOWN_PLAN_INDEX_H

#include <stddef.h>
#include <stdint.h>

/* Open addressing over keys that the caller owns. A slot holds index + 1; 0: empty. At most half full. */
struct plan_index {
    const char **keys;
    int *slots;
    size_t mask;
    uint64_t *comparisons;
};

/* For at most `count` keys. Each comparison of two texts is counted. */
void plan_index_init(struct plan_index *index, int count, uint64_t *comparisons);
/* Of equal keys the first one added stays. Returns the number that the key has. */
int plan_index_add(struct plan_index *index, const char *key, int number);
/* The number of `key`, or -1; also of NULL. */
int plan_index_find(const struct plan_index *index, const char *key);
void plan_index_free(struct plan_index *index);

#endif
