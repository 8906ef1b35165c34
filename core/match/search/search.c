#include "core/match/search/search.h"

#include "core/base/must.h"
#include "core/match/face.h"
#include "core/match/search/distance.h"
#include "core/match/search/embedding_store.h"
#include "core/match/search/nearest.h"
#include "core/match/search/quantizer.h"
#include "core/match/search/slot_index.h"

#include <math.h>
#include <stdlib.h>

enum {
    FIRST = 1024, /* blocks that are scanned first, best candidates first */
    TILE = 512,   /* blocks that all probes scan while they are in the cache */
    AHEAD = 8     /* blocks that are scanned before their candidates are refined */
};

struct search {
    const float *probe;
    struct quantizer_probe coded;
    struct nearest found;
    float reach; /* L2 distance in the quantizer's space; templates beyond it are pruned */
};

/* Compares the full embeddings, and updates `reach`. For unit vectors |a - b|^2 = 2 (1 - cos): the quantizer compares
 * normalised embeddings by L2. */
static void search_compare(const struct search_space *a, struct search *q, size_t slot)
{
    double reach;

    nearest_keep(&q->found, slot_index_of(a->slots, slot), slot,
                 embedding_distance(a->metric, q->probe, embedding_store_get(a->embeddings, slot), a->dimension));
    reach = nearest_reach(&q->found);
    q->reach = (float)(a->metric == METRIC_COSINE ? sqrt(2 * fmax(reach, 0)) : reach) * 1.000001f;
}

/* Compares the candidates of `n` blocks whose lower bound by the whole code is within reach. */
static void search_refine(const struct search_space *a, struct search *q, size_t from, size_t n, uint32_t *candidates,
                          const float *scores)
{
    for (size_t b = 0; b < n; b++)
        for (; candidates[b]; candidates[b] &= candidates[b] - 1) {
            size_t k = b * SCAN_BLOCK + (size_t)__builtin_ctz(candidates[b]), i = from * SCAN_BLOCK + k;

            if (i < a->count && quantizer_lower_bound(a->quantizer, &q->coded, i, scores[k]) <= q->reach)
                search_compare(a, q, i);
        }
}

static void search_prefetch(const struct search_space *a, size_t block, uint32_t candidates)
{
    for (; candidates; candidates &= candidates - 1)
        quantizer_prefetch(a->quantizer, block * SCAN_BLOCK + (size_t)__builtin_ctz(candidates));
}

static void search_blocks(const struct search_space *a, struct search *q, size_t from, size_t to)
{
    float scores[AHEAD * SCAN_BLOCK];
    uint32_t candidates[AHEAD];

    for (; from < to; from += AHEAD) {
        size_t n = to - from < AHEAD ? to - from : AHEAD;

        for (size_t b = 0; b < n; b++) {
            candidates[b] = quantizer_candidates(a->quantizer, &q->coded, from + b, q->reach, scores + b * SCAN_BLOCK);
            search_prefetch(a, from + b, candidates[b]);
        }
        search_refine(a, q, from, n, candidates, scores);
    }
}

/* Compares the LIKELY templates with the smallest scores of the first blocks. */
static void search_compare_likely(const struct search_space *a, struct search *q, const float *values, size_t blocks)
{
    enum { LIKELY = 8 };
    size_t slots[LIKELY];
    int kept = 0;

    for (size_t b = 0; b < blocks; b++) {
        uint32_t likely = scan_below(values + b * SCAN_BLOCK, kept == LIKELY ? values[slots[LIKELY - 1]] : INFINITY);

        for (; likely; likely &= likely - 1) {
            size_t i = b * SCAN_BLOCK + (size_t)__builtin_ctz(likely);
            int at;

            if (kept == LIKELY && values[i] >= values[slots[LIKELY - 1]])
                continue; /* the mask was made before others of the block were kept */
            at = kept < LIKELY ? kept++ : LIKELY - 1;
            for (; at > 0 && values[slots[at - 1]] > values[i]; at--)
                slots[at] = slots[at - 1];
            slots[at] = i;
        }
    }
    for (int i = 0; i < kept; i++)
        if (slots[i] < a->count)
            search_compare(a, q, slots[i]);
}

/* Searches the first blocks, the best candidates first: a small `reach` from the start prunes more. `values` is scratch
 * for SCAN_BLOCK floats a block. */
static void search_first(const struct search_space *a, struct search *q, size_t blocks, float *values)
{
    for (size_t b = 0; b < blocks; b++)
        quantizer_candidates(a->quantizer, &q->coded, b, INFINITY, values + b * SCAN_BLOCK);
    search_compare_likely(a, q, values, blocks);
    for (size_t from = 0; from < blocks; from += AHEAD) {
        size_t n = blocks - from < AHEAD ? blocks - from : AHEAD;
        uint32_t candidates[AHEAD];

        for (size_t b = 0; b < n; b++) {
            candidates[b] = scan_below(values + (from + b) * SCAN_BLOCK,
                                       quantizer_limit(a->quantizer, &q->coded, from + b, q->reach));
            search_prefetch(a, from + b, candidates[b]);
        }
        search_refine(a, q, from, n, candidates, values + from * SCAN_BLOCK);
    }
}

static void search_codes(const struct search_space *a, struct search *list, int count)
{
    size_t blocks = (a->count + SCAN_BLOCK - 1) / SCAN_BLOCK, first = blocks < FIRST ? blocks : FIRST;
    float *values = must(malloc(first * SCAN_BLOCK * sizeof *values));

    for (int i = 0; i < count; i++)
        search_first(a, &list[i], first, values);
    for (size_t b = first; b < blocks; b += TILE)
        for (int i = 0; i < count; i++)
            search_blocks(a, &list[i], b, b + TILE < blocks ? b + TILE : blocks);
    free(values);
}

static void search_all(const struct search_space *a, struct search *q)
{
    for (size_t slot = 0; slot < a->count; slot++)
        search_compare(a, q, slot);
}

void search_nearest(const struct search_space *a, const float *const *probes, const float *const *forms, int count,
                    struct hit *const *hits, int *found, int max)
{
    struct search *list = must(calloc((size_t)count + 1, sizeof *list));

    for (int i = 0; i < count; i++)
        list[i] = (struct search){.probe = probes[i], .found = {.hits = hits[i], .max = max}, .reach = INFINITY};
    for (int i = 0; a->quantizer && i < count; i++)
        quantizer_prepare(a->quantizer, forms[i], &list[i].coded);
    if (a->quantizer)
        search_codes(a, list, count);
    for (int i = 0; i < count; i++) {
        if (a->quantizer)
            quantizer_probe_free(&list[i].coded);
        else
            search_all(a, &list[i]);
        found[i] = list[i].found.count;
    }
    free(list);
}
