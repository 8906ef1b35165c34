#include "core/match/search/blocks.h"

#include "core/base/must.h"

#include <string.h>
#include <sys/mman.h>

enum { LARGE_PAGE = 2 << 20 };

void blocks_init(struct blocks *b, size_t groups)
{
    b->groups = groups;
    while ((blocks_half(b) << (b->shift + 1)) <= LARGE_PAGE)
        b->shift++;
}

void blocks_free(struct blocks *b)
{
    for (size_t i = 0; i < b->piece_count; i++)
        free(b->pieces[i]);
    free(b->pieces);
}

static void blocks_add_piece(struct blocks *b)
{
    size_t bytes = 2 * (blocks_half(b) << b->shift), rounded = (bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    uint8_t *piece = must(aligned_alloc(LARGE_PAGE, rounded));

    if (b->piece_count > 0)
        (void)madvise(piece, rounded, MADV_HUGEPAGE); /* a hint; not every kernel has huge pages */
    b->pieces = must(realloc(b->pieces, (b->piece_count + 1) * sizeof *b->pieces));
    b->pieces[b->piece_count++] = piece;
}

void blocks_add(struct blocks *b)
{
    if (b->count == b->piece_count << b->shift)
        blocks_add_piece(b);
    memset(blocks_upper(b, b->count), 0, blocks_half(b));
    memset(blocks_lower(b, b->count), 0, blocks_half(b));
    b->count++;
}
