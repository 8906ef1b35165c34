#include "core/base/arena.h"

#include "core/base/must.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1024 - 64 };

struct arena_block {
    struct arena_block *next;
    alignas(max_align_t) char data[];
};

void *arena_alloc(struct arena *a, size_t size)
{
    void *p;

    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (!a->blocks || a->size - a->used < size) {
        size_t want = a->size ? a->size * 2 : BLOCK;
        struct arena_block *block;

        if (want > 1u << 20)
            want = 1u << 20;
        if (want < size)
            want = size;
        block = malloc(sizeof *block + want);
        if (!block)
            out_of_memory();
        block->next = a->blocks;
        a->blocks = block;
        a->size = want;
        a->used = 0;
        a->total += want;
    }
    p = a->blocks->data + a->used;
    a->used += size;
    return memset(p, 0, size);
}

char *arena_copy(struct arena *a, const void *data, size_t len)
{
    char *p = arena_alloc(a, len + 1);

    if (len)
        memcpy(p, data, len);
    return p;
}

char *arena_text(struct arena *a, const char *text)
{
    return text ? arena_copy(a, text, strlen(text)) : NULL;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    char *text;
    int n;

    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    text = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
    vsnprintf(text, (size_t)(n < 0 ? 0 : n) + 1, format, again);
    va_end(again);
    return text;
}

void arena_free(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *next = a->blocks->next;

        free(a->blocks);
        a->blocks = next;
    }
    *a = (struct arena){0};
}
