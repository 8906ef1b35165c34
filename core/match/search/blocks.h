/* The memory of a gallery's codes: blocks of 16 templates, in pieces that are never moved. One thread.
 *
 * A search reads all of it in order. In pages of 2 MiB that takes three quarters of the time that it takes in pages of
 * 4 KiB, across whose ends no processor looks ahead; so pieces but the first are as large as such a page and ask for
 * one. What of the first is not used takes no memory.
 */
#ifndef KITH_CORE_MATCH_SEARCH_BLOCKS_H
#define KITH_CORE_MATCH_SEARCH_BLOCKS_H

#include "core/match/search/scan.h"

struct blocks {
    size_t groups; /* of 8 dimensions: 64 bytes of a block each, in either half */
    unsigned shift;
    size_t count; /* of blocks in use */
    uint8_t **pieces;
    size_t piece_count;
};

/* `b` is zeroed. */
void blocks_init(struct blocks *b, size_t groups);
void blocks_free(struct blocks *b);
/* One more, zeroed. */
void blocks_add(struct blocks *b);

static inline size_t blocks_half(const struct blocks *b) /* bytes of a block's half */
{
    return b->groups * 4 * SCAN_BLOCK;
}

/* The upper halves of a block, as scan.h has them. */
static inline uint8_t *blocks_upper(const struct blocks *b, size_t block)
{
    return b->pieces[block >> b->shift] + (block & (((size_t)1 << b->shift) - 1)) * blocks_half(b);
}

/* The lower halves of a block: a row of 4 × groups bytes for each of its templates. */
static inline uint8_t *blocks_lower(const struct blocks *b, size_t block)
{
    return blocks_upper(b, block) + (blocks_half(b) << b->shift);
}

#endif
