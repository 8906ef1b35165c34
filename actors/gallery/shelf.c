#include "actors/gallery/shelf.h"

#include "actors/gallery/codes.h"
#include "actors/gallery/embedding.h"
#include "actors/gallery/owners.h"
#include "actors/gallery/rows.h"
#include "actors/gallery/scan.h"
#include "core/base/must.h"
#include "plugins/recognizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CODED_FROM = 256,       /* fewer are compared one by one */
    REGRID_BELOW = 1 << 18, /* a gallery of that size knows what range its numbers have */
    TILE = 512,             /* blocks that several probes look at while they are in the cache */
    AHEAD = 8               /* blocks that are scanned before those that seem near are looked at */
};

struct shelf {
    char *model;
    int dimension;
    size_t count, capacity;
    int64_t *ids, last_id; /* last_id: the largest: what is above it is new, without a look at the others */
    struct owners *owners;
    struct rows *rows;
    struct codes *codes; /* NULL: none yet, or of no use for the metric */
    size_t gridded;      /* templates that the codes' range was made for */
    uint32_t metric;     /* that the codes are for */
    float *unit;         /* one row, for the cosine */
};

struct shelf *shelf_new(const char *model, int dimension, const char *folder, size_t memory_max)
{
    struct shelf *s = must(calloc(1, sizeof *s));

    s->model = must(strdup(model));
    s->dimension = dimension;
    s->owners = owners_new();
    s->rows = rows_new(dimension, folder, memory_max);
    s->unit = must(malloc((size_t)dimension * sizeof(float)));
    return s;
}

void shelf_free(struct shelf *s)
{
    codes_free(s->codes);
    rows_free(s->rows);
    owners_free(s->owners);
    free(s->ids);
    free(s->unit);
    free(s->model);
    free(s);
}

const char *shelf_model(const struct shelf *s)
{
    return s->model;
}

int shelf_dimension(const struct shelf *s)
{
    return s->dimension;
}

size_t shelf_count(const struct shelf *s)
{
    return s->count;
}

size_t shelf_people(const struct shelf *s)
{
    return owners_people(s->owners);
}

size_t shelf_memory(const struct shelf *s)
{
    return rows_in_memory(s->rows) + owners_bytes(s->owners) + s->capacity * sizeof *s->ids +
           (s->codes ? codes_bytes(s->codes) : 0);
}

const float *shelf_embedding(struct shelf *s, size_t slot)
{
    return rows_get(s->rows, slot);
}

int64_t shelf_person(const struct shelf *s, size_t slot)
{
    return owners_of(s->owners, slot);
}

size_t shelf_next_of(const struct shelf *s, size_t slot)
{
    return owners_next(s->owners, slot);
}

size_t shelf_find(const struct shelf *s, int64_t person)
{
    return owners_find(s->owners, person);
}

/* --- codes --- */

/* By the cosine only directions count, and for those |a - b|^2 = 2 (1 - cos). */
static const float *coded_form(struct shelf *s, const float *e)
{
    float norm = 0;

    if (s->metric != KITH_METRIC_COSINE)
        return e;
    for (int i = 0; i < s->dimension; i++)
        norm += e[i] * e[i];
    norm = sqrtf(norm);
    for (int i = 0; i < s->dimension; i++)
        s->unit[i] = norm > 0 ? e[i] / norm : 0;
    return s->unit;
}

/* Three and a bit standard deviations: 4 bits are worth the most then (the error of a uniform quantiser of 16 steps
 * for a normal distribution is smallest at ±2.7; more costs little and leaves fewer outside). */
static float range_of(struct shelf *s, float *centre)
{
    enum { SAMPLE = 4096 };
    const size_t step = s->count / SAMPLE + 1, n = (s->count + step - 1) / step;
    double sum = 0;

    for (size_t i = 0; i < s->count; i += step) {
        const float *e = coded_form(s, rows_get(s->rows, i));

        for (int d = 0; d < s->dimension; d++)
            centre[d] += e[d] / (float)n;
    }
    for (size_t i = 0; i < s->count; i += step)
        sum += (double)embedding_squared(coded_form(s, rows_get(s->rows, i)), centre, s->dimension);
    return sum > 0 ? 3.2f * (float)sqrt(sum / (double)n / s->dimension) : 1;
}

static void encode_all(struct shelf *s)
{
    float *centre = must(calloc((size_t)s->dimension + 1, sizeof(float))), range = range_of(s, centre);

    codes_free(s->codes);
    s->codes = codes_new(s->dimension, centre, range);
    free(centre);
    s->gridded = s->count;
    for (size_t i = 0; i < s->count; i++)
        codes_add(s->codes, coded_form(s, rows_get(s->rows, i)));
}

/* Codes are made at the first search, which knows the metric, and made anew while a growing gallery still teaches what
 * range its numbers have. */
static void refresh_codes(struct shelf *s, uint32_t metric)
{
    bool other = s->metric != metric;

    s->metric = metric;
    if (metric == KITH_METRIC_CHI_SQUARE || s->count < CODED_FROM) {
        codes_free(s->codes);
        s->codes = NULL;
    } else if (!s->codes || other || (s->count > 4 * s->gridded && s->gridded < REGRID_BELOW)) {
        encode_all(s);
    }
}

/* --- changes --- */

static size_t find_id(const struct shelf *s, int64_t id)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->ids[i] == id)
            return i;
    return SIZE_MAX;
}

int64_t shelf_owner_of_id(const struct shelf *s, int64_t id)
{
    size_t i = id <= s->last_id ? find_id(s, id) : SIZE_MAX;

    return i == SIZE_MAX ? 0 : owners_of(s->owners, i);
}

bool shelf_add(struct shelf *s, int64_t id, int64_t person, const float *embedding)
{
    /* Ids mostly grow; one that another node took earlier and committed later comes below. */
    if (id <= s->last_id && find_id(s, id) != SIZE_MAX)
        return false;
    if (id > s->last_id)
        s->last_id = id;
    if (s->count == s->capacity) {
        s->capacity += s->capacity / 4 + 64;
        s->ids = must(realloc(s->ids, s->capacity * sizeof *s->ids));
    }
    s->ids[s->count] = id;
    owners_add(s->owners, person);
    rows_add(s->rows, embedding);
    if (s->codes)
        codes_add(s->codes, coded_form(s, embedding));
    s->count++;
    return true;
}

static void remove_slot(struct shelf *s, size_t i)
{
    size_t last = --s->count;

    s->ids[i] = s->ids[last];
    owners_take_last(s->owners, i);
    if (i != last) {
        float *copy = must(malloc((size_t)s->dimension * sizeof(float)));

        memcpy(copy, rows_get(s->rows, last), (size_t)s->dimension * sizeof(float));
        rows_set(s->rows, i, copy);
        free(copy);
    }
    rows_drop_last(s->rows);
    if (s->codes)
        codes_take_last(s->codes, i);
}

bool shelf_remove(struct shelf *s, int64_t id)
{
    size_t i = find_id(s, id);

    if (i != SIZE_MAX)
        remove_slot(s, i);
    return i != SIZE_MAX;
}

void shelf_remove_person(struct shelf *s, int64_t person)
{
    size_t i;

    while ((i = owners_find(s->owners, person)) != SIZE_MAX)
        remove_slot(s, i);
}

/* --- the search --- */

struct search {
    const float *probe;
    struct codes_probe coded;
    struct hit *hits;
    int count, max;
    float reach; /* in the codes' space: who is farther is not among them */
};

static void keep(const struct shelf *s, struct search *q, size_t slot, double distance)
{
    int64_t person = owners_of(s->owners, slot);
    int at = 0;

    if (q->count == q->max && distance >= q->hits[q->max - 1].distance)
        return;
    while (at < q->count && q->hits[at].person != person)
        at++;
    if (at < q->count && q->hits[at].distance <= distance)
        return;
    if (at == q->count && q->count < q->max)
        q->count++;
    else if (at == q->count)
        at = q->max - 1;
    for (; at > 0 && q->hits[at - 1].distance > distance; at--)
        q->hits[at] = q->hits[at - 1];
    q->hits[at] = (struct hit){.person = person, .slot = slot, .distance = distance};
    if (q->count == q->max) {
        double reach = q->hits[q->max - 1].distance;

        q->reach = (float)(s->metric == KITH_METRIC_COSINE ? sqrt(2 * fmax(reach, 0)) : reach) * 1.000001f;
    }
}

static void compare(struct shelf *s, struct search *q, size_t slot)
{
    keep(s, q, slot, embedding_distance(s->metric, q->probe, rows_get(s->rows, slot), s->dimension));
}

static void search_all(struct shelf *s, struct search *q)
{
    for (size_t i = 0; i < s->count; i++)
        compare(s, q, i);
}

/* Those of `n` blocks whose bits are set: what the closer look needs is on its way while others are scanned. */
static void look_closer(struct shelf *s, struct search *q, size_t from, size_t n, uint32_t *near)
{
    for (size_t b = 0; b < n; b++)
        for (; near[b]; near[b] &= near[b] - 1) {
            size_t i = (from + b) * SCAN_BLOCK + (size_t)__builtin_ctz(near[b]);

            if (i < s->count && !(codes_at_least(s->codes, &q->coded, i) > q->reach))
                compare(s, q, i);
        }
}

static void fetch(const struct shelf *s, size_t block, uint32_t near)
{
    for (; near; near &= near - 1)
        codes_fetch(s->codes, block * SCAN_BLOCK + (size_t)__builtin_ctz(near));
}

static void search_blocks(struct shelf *s, struct search *q, size_t from, size_t to)
{
    uint32_t near[AHEAD];

    for (; from < to; from += AHEAD) {
        size_t n = to - from < AHEAD ? to - from : AHEAD;

        for (size_t b = 0; b < n; b++)
            fetch(s, from + b, near[b] = codes_near(s->codes, &q->coded, from + b, q->reach));
        look_closer(s, q, from, n, near);
    }
}

/* Compares those of `count` who seem the nearest. */
static void compare_likely(struct shelf *s, struct search *q, const float *values, size_t count)
{
    enum { LIKELY = 8 };
    size_t slots[LIKELY];
    int kept = 0;

    for (size_t i = 0; i < count; i++) {
        int at;

        if (kept == LIKELY && values[i] >= values[slots[LIKELY - 1]])
            continue;
        at = kept < LIKELY ? kept++ : LIKELY - 1;
        for (; at > 0 && values[slots[at - 1]] > values[i]; at--)
            slots[at] = slots[at - 1];
        slots[at] = i;
    }
    for (int i = 0; i < kept; i++)
        compare(s, q, slots[i]);
}

/* The first blocks: the likely first, so that who is farther than they are is left out from the beginning, and not only
 * once the search has come across them. `values` has room for them all. */
static void search_first(struct shelf *s, struct search *q, size_t blocks, float *values)
{
    for (size_t b = 0; b < blocks; b++)
        codes_estimate(s->codes, &q->coded, b, values + b * SCAN_BLOCK);
    compare_likely(s, q, values, blocks * SCAN_BLOCK < s->count ? blocks * SCAN_BLOCK : s->count);
    for (size_t from = 0; from < blocks; from += AHEAD) {
        size_t n = blocks - from < AHEAD ? blocks - from : AHEAD;
        uint32_t near[AHEAD] = {0};

        for (size_t b = 0; b < n; b++) {
            const float *of = values + (from + b) * SCAN_BLOCK;
            float limit = codes_limit(s->codes, &q->coded, from + b, q->reach);

            for (int i = 0; i < SCAN_BLOCK; i++)
                near[b] |= (uint32_t)(of[i] <= limit) << i;
            fetch(s, from + b, near[b]);
        }
        look_closer(s, q, from, n, near);
    }
}

static void search_codes(struct shelf *s, struct search *list, int count)
{
    size_t blocks = (s->count + SCAN_BLOCK - 1) / SCAN_BLOCK, first = blocks < TILE ? blocks : TILE;
    float *values = must(malloc(first * SCAN_BLOCK * sizeof *values));

    for (int i = 0; i < count; i++)
        search_first(s, &list[i], first, values);
    for (size_t b = first; b < blocks; b += TILE)
        for (int i = 0; i < count; i++)
            search_blocks(s, &list[i], b, b + TILE < blocks ? b + TILE : blocks);
    free(values);
}

void shelf_search(struct shelf *s, uint32_t metric, const float *const *probes, int count, struct hit *const *hits,
                  int *found, int max)
{
    struct search *list = must(calloc((size_t)count + 1, sizeof *list));
    float *units = must(malloc(((size_t)count * (size_t)s->dimension + 1) * sizeof(float)));

    refresh_codes(s, metric);
    for (int i = 0; i < count; i++) {
        list[i] = (struct search){.probe = probes[i], .hits = hits[i], .max = max, .reach = INFINITY};
        if (s->codes) {
            float *form = units + (size_t)i * (size_t)s->dimension;

            memcpy(form, coded_form(s, probes[i]), (size_t)s->dimension * sizeof(float));
            codes_prepare(s->codes, form, &list[i].coded);
        }
    }
    if (s->codes)
        search_codes(s, list, count);
    for (int i = 0; i < count; i++) {
        if (!s->codes)
            search_all(s, &list[i]);
        else
            codes_done(&list[i].coded);
        found[i] = list[i].count;
    }
    free(units);
    free(list);
}
