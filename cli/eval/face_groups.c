#include "cli/eval/face_groups.h"

#include "core/base/must.h"
#include "core/match/search/distance.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 20 }; /* of Lloyd's algorithm; it usually converges earlier */

struct face_groups {
    uint32_t metric;
    int dimension, count;
    float *centers;
    int *sizes;
};

struct assignment { /* of one face */
    double distance;
    int group;
};

static void *face_groups_alloc(int count, size_t size)
{
    return must(calloc((size_t)count, size));
}

void face_groups_free(struct face_groups *g)
{
    if (!g)
        return;
    free(g->centers);
    free(g->sizes);
    free(g);
}

int face_groups_count(const struct face_groups *g)
{
    return g->count;
}

int face_groups_size(const struct face_groups *g, int group)
{
    return g->sizes[group];
}

const float *face_groups_center(const struct face_groups *g, int group)
{
    return g->centers + (size_t)group * (size_t)g->dimension;
}

static struct assignment face_groups_assign(const struct face_groups *g, const float *face)
{
    struct assignment best = {INFINITY, 0};

    for (int i = 0; i < g->count; i++) {
        double d = embedding_distance(g->metric, face, face_groups_center(g, i), g->dimension);

        if (d < best.distance)
            best = (struct assignment){d, i};
    }
    return best;
}

int face_groups_nearest(const struct face_groups *g, const float *face)
{
    return face_groups_assign(g, face).group;
}

static int assignment_compare(const void *a, const void *b)
{
    const struct assignment *x = a, *y = b;

    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return x->group < y->group ? -1 : x->group > y->group; /* here the number of the face */
}

/* Adds the face at the 90th percentile of the distances to the nearest centre. False: all faces are at centres. */
static bool face_groups_seed(struct face_groups *g, const float *const *faces, int count, struct assignment *scratch)
{
    const struct assignment *next;

    for (int i = 0; i < count; i++)
        scratch[i] = (struct assignment){face_groups_assign(g, faces[i]).distance, i};
    qsort(scratch, (size_t)count, sizeof *scratch, assignment_compare);
    next = &scratch[(size_t)(count - 1) * 9 / 10];
    if (next->distance <= 0)
        return false;
    memcpy(g->centers + (size_t)g->count++ * (size_t)g->dimension, faces[next->group],
           (size_t)g->dimension * sizeof(float));
    return true;
}

static void face_groups_average(struct face_groups *g, const float *const *faces, int count,
                                const struct assignment *of)
{
    double *sums = face_groups_alloc(g->count * g->dimension, sizeof *sums);
    size_t dimension = (size_t)g->dimension;

    memset(g->sizes, 0, (size_t)g->count * sizeof *g->sizes);
    for (int i = 0; i < count; i++) {
        double *sum = sums + (size_t)of[i].group * dimension;

        g->sizes[of[i].group]++;
        for (size_t d = 0; d < dimension; d++)
            sum[d] += (double)faces[i][d];
    }
    for (int k = 0; k < g->count; k++)
        for (size_t d = 0; d < dimension && g->sizes[k]; d++) /* an empty group keeps its centre */
            g->centers[(size_t)k * dimension + d] = (float)(sums[(size_t)k * dimension + d] / g->sizes[k]);
    free(sums);
}

/* Lloyd's algorithm. */
static void face_groups_iterate(struct face_groups *g, const float *const *faces, int count, struct assignment *of)
{
    bool moved = true;

    for (int i = 0; i < count; i++)
        of[i] = (struct assignment){0, -1};
    for (int round = 0; round < ROUNDS && moved; round++) {
        moved = false;
        for (int i = 0; i < count; i++) {
            struct assignment now = face_groups_assign(g, faces[i]);

            moved |= now.group != of[i].group;
            of[i] = now;
        }
        if (moved)
            face_groups_average(g, faces, count, of);
    }
}

static void face_groups_swap(struct face_groups *g, int a, int b)
{
    int size = g->sizes[a];

    g->sizes[a] = g->sizes[b];
    g->sizes[b] = size;
    for (size_t d = 0; d < (size_t)g->dimension; d++) {
        float *x = &g->centers[(size_t)a * (size_t)g->dimension + d];
        float *y = &g->centers[(size_t)b * (size_t)g->dimension + d], kept = *x;

        *x = *y;
        *y = kept;
    }
}

/* Largest first; without empty ones. */
static void face_groups_sort(struct face_groups *g)
{
    for (int i = 0; i < g->count; i++) {
        int largest = i;

        for (int k = i + 1; k < g->count; k++)
            if (g->sizes[k] > g->sizes[largest])
                largest = k;
        face_groups_swap(g, i, largest);
    }
    while (g->count > 1 && g->sizes[g->count - 1] == 0)
        g->count--;
}

struct face_groups *face_groups_new(uint32_t metric, int dimension, const float *const *faces, int count, int groups)
{
    struct face_groups *g = face_groups_alloc(1, sizeof *g);
    struct assignment *scratch = face_groups_alloc(count, sizeof *scratch);

    g->metric = metric;
    g->dimension = dimension;
    g->centers = face_groups_alloc(groups * dimension, sizeof(float));
    g->sizes = face_groups_alloc(groups, sizeof *g->sizes);
    g->count = 1;
    face_groups_average(g, faces, count, scratch); /* one group of all */
    while (g->count < groups && face_groups_seed(g, faces, count, scratch))
        ;
    face_groups_iterate(g, faces, count, scratch);
    face_groups_sort(g);
    free(scratch);
    return g;
}
