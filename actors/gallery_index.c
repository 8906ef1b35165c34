#include "actors/gallery_index.h"

#include "plugins/recognizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct shelf { /* the templates of one model, rows without gaps */
    struct shelf *next;
    char *model;
    int dimension;
    size_t count, capacity;
    int64_t *ids, *persons;
    float *rows;
    int64_t last_id; /* the largest: what is above it is new, without a look at the others */
};

struct gallery_index {
    struct shelf *shelves;
};

struct gallery_index *gallery_index_new(void)
{
    struct gallery_index *g = calloc(1, sizeof *g);

    if (!g)
        abort();
    return g;
}

void gallery_index_clear(struct gallery_index *g)
{
    for (struct shelf *s = g->shelves, *next; s; s = next) {
        next = s->next;
        free(s->model);
        free(s->ids);
        free(s->persons);
        free(s->rows);
        free(s);
    }
    g->shelves = NULL;
}

void gallery_index_free(struct gallery_index *g)
{
    if (g)
        gallery_index_clear(g);
    free(g);
}

static struct shelf *find_shelf(const struct gallery_index *g, const char *model, int dimension)
{
    for (struct shelf *s = g->shelves; s; s = s->next)
        if (s->dimension == dimension && strcmp(s->model, model) == 0)
            return s;
    return NULL;
}

static void *grown(void *data, size_t bytes)
{
    data = realloc(data, bytes);
    if (!data)
        abort();
    return data;
}

/* Ids mostly grow; one that another node took earlier and committed later comes below. */
static bool has_id(const struct shelf *s, int64_t id)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->ids[i] == id)
            return true;
    return false;
}

void gallery_index_add(struct gallery_index *g, const struct template *t)
{
    struct shelf *s = find_shelf(g, t->model, t->dimension);

    if (!s) {
        s = calloc(1, sizeof *s);
        if (!s || !(s->model = strdup(t->model)))
            abort();
        s->dimension = t->dimension;
        s->next = g->shelves;
        g->shelves = s;
    }
    if (t->id <= s->last_id && has_id(s, t->id))
        return;
    if (t->id > s->last_id)
        s->last_id = t->id;
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : 64;
        s->ids = grown(s->ids, s->capacity * sizeof *s->ids);
        s->persons = grown(s->persons, s->capacity * sizeof *s->persons);
        s->rows = grown(s->rows, s->capacity * (size_t)s->dimension * sizeof *s->rows);
    }
    s->ids[s->count] = t->id;
    s->persons[s->count] = t->person;
    memcpy(s->rows + s->count++ * (size_t)s->dimension, t->embedding, (size_t)s->dimension * sizeof *s->rows);
}

static void remove_row(struct shelf *s, size_t i)
{
    size_t last = --s->count, n = (size_t)s->dimension;

    s->ids[i] = s->ids[last];
    s->persons[i] = s->persons[last];
    memmove(s->rows + i * n, s->rows + last * n, n * sizeof *s->rows);
}

void gallery_index_remove_person(struct gallery_index *g, int64_t person)
{
    for (struct shelf *s = g->shelves; s; s = s->next)
        for (size_t i = s->count; i-- > 0;)
            if (s->persons[i] == person)
                remove_row(s, i);
}

void gallery_index_remove_template(struct gallery_index *g, int64_t id)
{
    for (struct shelf *s = g->shelves; s; s = s->next)
        for (size_t i = s->count; i-- > 0;)
            if (s->ids[i] == id)
                remove_row(s, i);
}

size_t gallery_index_size(const struct gallery_index *g)
{
    size_t n = 0;

    for (const struct shelf *s = g->shelves; s; s = s->next)
        n += s->count;
    return n;
}

/* Several sums at once, so that the additions need not wait for each other. */
static float squared_l2(const float *a, const float *b, int n)
{
    float sums[8] = {0}, sum = 0;
    int i = 0;

    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) {
            float d = a[i + k] - b[i + k];

            sums[k] += d * d;
        }
    for (; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    for (int k = 0; k < 8; k++)
        sum += sums[k];
    return sum;
}

static double cosine(const float *a, const float *b, int n)
{
    double ab = 0, aa = 0, bb = 0;

    for (int i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0 && bb > 0 ? 1 - ab / sqrt(aa * bb) : 1;
}

static double chi_square(const float *a, const float *b, int n)
{
    double sum = 0;

    for (int i = 0; i < n; i++) {
        double d = (double)a[i] - (double)b[i], s = (double)a[i] + (double)b[i];

        if (s > 0)
            sum += 2 * d * d / s;
    }
    return sum;
}

double embedding_distance(uint32_t metric, const float *a, const float *b, int dimension)
{
    if (metric == KITH_METRIC_COSINE)
        return cosine(a, b, dimension);
    if (metric == KITH_METRIC_CHI_SQUARE)
        return chi_square(a, b, dimension);
    return sqrt((double)squared_l2(a, b, dimension));
}

double similarity_of(double distance, double threshold)
{
    return 1 / (1 + exp(8 * (distance / threshold - 1)));
}

static void keep(struct candidate *list, int *count, int max, int64_t person, double distance)
{
    int at = 0;

    while (at < *count && list[at].person != person)
        at++;
    if (at < *count) {
        if (list[at].distance <= distance)
            return;
    } else if (*count < max) {
        (*count)++;
    } else {
        at = max - 1;
    }
    for (; at > 0 && list[at - 1].distance > distance; at--)
        list[at] = list[at - 1];
    list[at] = (struct candidate){.person = person, .distance = distance};
}

int gallery_index_nearest(const struct gallery_index *g, const char *model, uint32_t metric, const float *probe,
                          int dimension, struct candidate *out, int max)
{
    const struct shelf *s = find_shelf(g, model, dimension);
    int count = 0;

    for (size_t i = 0; s && i < s->count; i++) {
        double d = embedding_distance(metric, probe, s->rows + i * (size_t)dimension, dimension);

        if (count < max || d < out[count - 1].distance)
            keep(out, &count, max, s->persons[i], d);
    }
    return count;
}
