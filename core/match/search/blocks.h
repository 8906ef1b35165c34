/* The memory of the quantizer's codes: blocks of 16 templates, in pieces that never move. One thread at a time.
 *
 * A search reads the upper halves of all blocks in order. In pages of 2 MiB that takes three quarters of the time that
 * it takes in pages of 4 KiB, because the hardware prefetcher stops at the end of a page. So a piece has the size of a
 * huge page, and every piece but the first asks for one. The first stays in small pages, of which only the used ones
 * take memory.
 */
#ifndef KITH_CORE_MATCH_SEARCH_BLOCKS_H
#define KITH_CORE_MATCH_SEARCH_BLOCKS_H

#include "core/match/search/scan.h"

struct blocks {
    size_t groups; /* groups of 8 dimensions: 64 bytes each in either half of a block */
    unsigned shift;
    size_t count; /* blocks in use */
    uint8_t **pieces;
    size_t piece_count;
};

/* `b` must be zeroed. */
void blocks_init(struct blocks *b, size_t groups);
void blocks_free(struct blocks *b);
/* Appends a zeroed block. */
void blocks_add(struct blocks *b);

static inline size_t blocks_half(const struct blocks *b) /* bytes of a block's half */
{
    return b->groups * 4 * SCAN_BLOCK;
}

/* The upper 4 bits of a block's codes, in the layout of scan.h. */
static inline uint8_t *blocks_upper(const struct blocks *b, size_t block)
{
    return b->pieces[block >> b->shift] + (block & (((size_t)1 << b->shift) - 1)) * blocks_half(b);
}

/* The lower 4 bits of a block's codes: 4 × groups bytes for each template. */
static inline uint8_t *blocks_lower(const struct blocks *b, size_t block)
{
    return blocks_upper(b, block) + (blocks_half(b) << b->shift);
}

#endif
