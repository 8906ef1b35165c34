#include "core/match/template_set.h"

#include "core/base/must.h"
#include "core/match/face.h"
#include "core/match/search/distance.h"
#include "core/match/search/embedding_store.h"
#include "core/match/search/quantizer.h"
#include "core/match/search/search.h"
#include "core/match/search/slot_index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUANTIZE_FROM = 256,    /* templates; fewer are compared one by one */
    RETRAIN_BELOW = 1 << 18 /* templates; in a larger set the range does not change any more */
};

struct template_set {
    char *model;
    int dimension;
    size_t count, capacity;
    int64_t *ids, last_id;    /* last_id: the largest; a larger id is new without a search */
    struct slot_index *by_id; /* the slots by id; NULL: no id was searched yet */
    struct slot_index *slots;
    struct embedding_store *embeddings;
    struct quantizer *quantizer; /* NULL: too few templates, or not for this metric */
    size_t trained_on;           /* templates that the quantizer's range was measured on */
    uint32_t metric;             /* of the last search */
    float *unit;                 /* scratch: one normalised embedding */
};

struct template_set *template_set_new(const char *model, int dimension, const char *folder, size_t memory_max)
{
    struct template_set *s = must(calloc(1, sizeof *s));

    s->model = must(strdup(model));
    s->dimension = dimension;
    s->slots = slot_index_new();
    s->embeddings = embedding_store_new(dimension, folder, memory_max);
    s->unit = must(malloc((size_t)dimension * sizeof(float)));
    return s;
}

void template_set_free(struct template_set *s)
{
    quantizer_free(s->quantizer);
    embedding_store_free(s->embeddings);
    slot_index_free(s->slots);
    if (s->by_id)
        slot_index_free(s->by_id);
    free(s->ids);
    free(s->unit);
    free(s->model);
    free(s);
}

const char *template_set_model(const struct template_set *s)
{
    return s->model;
}

int template_set_dimension(const struct template_set *s)
{
    return s->dimension;
}

size_t template_set_count(const struct template_set *s)
{
    return s->count;
}

size_t template_set_people(const struct template_set *s)
{
    return slot_index_people(s->slots);
}

size_t template_set_memory(const struct template_set *s)
{
    return embedding_store_in_memory(s->embeddings) + slot_index_bytes(s->slots) + s->capacity * sizeof *s->ids +
           (s->quantizer ? quantizer_bytes(s->quantizer) : 0) + (s->by_id ? slot_index_bytes(s->by_id) : 0);
}

const float *template_set_embedding(struct template_set *s, size_t slot)
{
    return embedding_store_get(s->embeddings, slot);
}

int64_t template_set_id(const struct template_set *s, size_t slot)
{
    return s->ids[slot];
}

int64_t template_set_person(const struct template_set *s, size_t slot)
{
    return slot_index_of(s->slots, slot);
}

size_t template_set_next_of(const struct template_set *s, size_t slot)
{
    return slot_index_next(s->slots, slot);
}

size_t template_set_find(const struct template_set *s, int64_t person)
{
    return slot_index_find(s->slots, person);
}

/* --- the quantizer --- */

/* Returns what the quantizer codes. The quantizer compares by L2; for unit vectors |a - b|^2 = 2 (1 - cos), so for the
 * cosine distance embeddings are normalised. The result is `e` or scratch of the set. */
static const float *template_set_normalize(struct template_set *s, const float *e)
{
    float norm = 0;

    if (s->metric != METRIC_COSINE)
        return e;
    for (int i = 0; i < s->dimension; i++)
        norm += e[i] * e[i];
    norm = sqrtf(norm);
    for (int i = 0; i < s->dimension; i++)
        s->unit[i] = norm > 0 ? e[i] / norm : 0;
    return s->unit;
}

/* Returns 3.2 standard deviations of the numbers, and their mean in `centre`. A uniform quantizer of 16 steps has the
 * smallest mean squared error for a normal distribution at about 2.7 standard deviations (J. Max, "Quantizing for
 * minimum distortion", 1960); a little more costs little and clips fewer numbers. */
static float template_set_measure_range(struct template_set *s, float *centre)
{
    enum { SAMPLE = 4096 };
    const size_t step = s->count / SAMPLE + 1, n = (s->count + step - 1) / step;
    double sum = 0;

    for (size_t i = 0; i < s->count; i += step) {
        const float *e = template_set_normalize(s, embedding_store_get(s->embeddings, i));

        for (int d = 0; d < s->dimension; d++)
            centre[d] += e[d] / (float)n;
    }
    for (size_t i = 0; i < s->count; i += step)
        sum += (double)embedding_squared(template_set_normalize(s, embedding_store_get(s->embeddings, i)), centre,
                                         s->dimension);
    return sum > 0 ? 3.2f * (float)sqrt(sum / (double)n / s->dimension) : 1;
}

static void template_set_quantize(struct template_set *s)
{
    float *centre = must(calloc((size_t)s->dimension + 1, sizeof(float))),
          range = template_set_measure_range(s, centre);

    quantizer_free(s->quantizer);
    s->quantizer = quantizer_new(s->dimension, centre, range);
    free(centre);
    s->trained_on = s->count;
    for (size_t i = 0; i < s->count; i++)
        quantizer_add(s->quantizer, template_set_normalize(s, embedding_store_get(s->embeddings, i)));
}

/* The quantizer is made by the first search, which knows the metric, and again each time the set has quadrupled, up to
 * RETRAIN_BELOW. */
static void template_set_update_quantizer(struct template_set *s, uint32_t metric)
{
    bool other = s->metric != metric;

    s->metric = metric;
    if (metric == METRIC_CHI_SQUARE || s->count < QUANTIZE_FROM) {
        quantizer_free(s->quantizer);
        s->quantizer = NULL;
    } else if (!s->quantizer || other || (s->count > 4 * s->trained_on && s->trained_on < RETRAIN_BELOW)) {
        template_set_quantize(s);
    }
}

/* --- changes --- */

/* A gallery is loaded in the order of the ids: the index is made when it is needed. */
static size_t template_set_slot_of_id(struct template_set *s, int64_t id)
{
    if (!s->by_id) {
        s->by_id = slot_index_new();
        for (size_t i = 0; i < s->count; i++)
            slot_index_add(s->by_id, s->ids[i]);
    }
    return slot_index_find(s->by_id, id);
}

int64_t template_set_owner_of_id(struct template_set *s, int64_t id)
{
    size_t i = id <= s->last_id ? template_set_slot_of_id(s, id) : SIZE_MAX;

    return i == SIZE_MAX ? 0 : slot_index_of(s->slots, i);
}

bool template_set_add(struct template_set *s, int64_t id, int64_t person, const float *embedding)
{
    /* Ids mostly grow; another node may commit a smaller one later. */
    if (id <= s->last_id && template_set_slot_of_id(s, id) != SIZE_MAX)
        return false;
    if (id > s->last_id)
        s->last_id = id;
    if (s->count == s->capacity) {
        s->capacity += s->capacity / 4 + 64;
        s->ids = must(realloc(s->ids, s->capacity * sizeof *s->ids));
    }
    s->ids[s->count] = id;
    if (s->by_id)
        slot_index_add(s->by_id, id);
    slot_index_add(s->slots, person);
    embedding_store_add(s->embeddings, embedding);
    if (s->quantizer)
        quantizer_add(s->quantizer, template_set_normalize(s, embedding));
    s->count++;
    return true;
}

static void template_set_remove_slot(struct template_set *s, size_t i)
{
    size_t last = --s->count;

    s->ids[i] = s->ids[last];
    if (s->by_id)
        slot_index_move_last(s->by_id, i);
    slot_index_move_last(s->slots, i);
    if (i != last) {
        float *copy = must(malloc((size_t)s->dimension * sizeof(float)));

        memcpy(copy, embedding_store_get(s->embeddings, last), (size_t)s->dimension * sizeof(float));
        embedding_store_set(s->embeddings, i, copy);
        free(copy);
    }
    embedding_store_drop_last(s->embeddings);
    if (s->quantizer)
        quantizer_move_last(s->quantizer, i);
}

bool template_set_remove(struct template_set *s, int64_t id)
{
    size_t i = template_set_slot_of_id(s, id);

    if (i != SIZE_MAX)
        template_set_remove_slot(s, i);
    return i != SIZE_MAX;
}

void template_set_remove_person(struct template_set *s, int64_t person)
{
    size_t i;

    while ((i = slot_index_find(s->slots, person)) != SIZE_MAX)
        template_set_remove_slot(s, i);
}

/* --- the search --- */

void template_set_search(struct template_set *s, uint32_t metric, const float *const *probes, int count,
                         struct hit *const *hits, int *found, int max)
{
    const size_t dimension = (size_t)s->dimension;
    float *room = must(malloc(((size_t)count * dimension + 1) * sizeof(float)));
    const float **forms = must(malloc(((size_t)count + 1) * sizeof *forms));

    template_set_update_quantizer(s, metric);
    for (int i = 0; i < count; i++)
        forms[i] =
            memcpy(room + (size_t)i * dimension, template_set_normalize(s, probes[i]), dimension * sizeof(float));
    search_nearest(&(struct search_space){.embeddings = s->embeddings,
                                          .quantizer = s->quantizer,
                                          .slots = s->slots,
                                          .count = s->count,
                                          .dimension = s->dimension,
                                          .metric = metric},
                   probes, forms, count, hits, found, max);
    free(forms);
    free(room);
}
