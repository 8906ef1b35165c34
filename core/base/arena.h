/* Memory that is freed at once: for what one message, one reply or one parsed request owns. One thread at a time. */
#ifndef KITH_CORE_BASE_ARENA_H
#define KITH_CORE_BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used, size; /* of the newest block */
    size_t total;      /* bytes taken from the system */
};

/* Zeroed, aligned for any type. Aborts without memory. */
void *arena_alloc(struct arena *a, size_t size);
/* A copy of `len` bytes followed by a NUL. */
char *arena_copy(struct arena *a, const void *data, size_t len);
/* NULL gives NULL. */
char *arena_text(struct arena *a, const char *text);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void arena_free(struct arena *a);

#endif
