#include "core/match/cohort.h"

#include "core/base/must.h"
#include "core/match/search/distance.h"
#include "core/match/template_set.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct member {
    int64_t person; /* 0: unknown */
    int seen;       /* faces of this person */
    double excess;
};

struct cohort {
    uint32_t metric;
    int dimension, max, count;
    float *faces;
    struct member *members; /* of `faces` */
    double *distances;      /* scratch of cohort_measure(): `max` distances */
};

struct cohort *cohort_new(uint32_t metric, int dimension, int max)
{
    struct cohort *c = calloc(1, sizeof *c);

    if (!c)
        out_of_memory();
    c->metric = metric;
    c->dimension = dimension;
    c->max = max;
    c->faces = malloc((size_t)max * (size_t)dimension * sizeof(float));
    c->members = malloc((size_t)max * sizeof *c->members);
    c->distances = malloc((size_t)max * sizeof(double));
    if (!c->faces || !c->members || !c->distances)
        out_of_memory();
    return c;
}

void cohort_free(struct cohort *c)
{
    if (!c)
        return;
    free(c->faces);
    free(c->members);
    free(c->distances);
    free(c);
}

int cohort_count(const struct cohort *c)
{
    return c->count;
}

const float *cohort_face(const struct cohort *c, int i)
{
    return c->faces + (size_t)i * (size_t)c->dimension;
}

int64_t cohort_person(const struct cohort *c, int i)
{
    return c->members[i].person;
}

int cohort_seen(const struct cohort *c, int i)
{
    return c->members[i].seen;
}

void cohort_set_excess(struct cohort *c, int i, double excess)
{
    c->members[i].excess = excess;
}

/* Adds one face of each person of a set, or, if there is no capacity for all, of evenly spread ones. The face is the
 * person's slot with the smallest number; that finds each person once without a list of people. */
static void cohort_add_people(struct cohort *c, struct template_set *s, bool enrolled)
{
    size_t people = s ? template_set_people(s) : 0, room = (size_t)(c->max - c->count), seen = 0, taken = 0;

    room = room < people ? room : people;
    for (size_t i = 0; people && i < template_set_count(s) && taken < room; i++) {
        size_t next = template_set_next_of(s, i);
        int faces = 1;

        for (; next > i; faces++)
            next = template_set_next_of(s, next);
        if (next != i)
            continue; /* not the person's smallest slot */
        seen++;
        if ((seen - 1) * room / people == seen * room / people)
            continue;
        memcpy(c->faces + (size_t)c->count * (size_t)c->dimension, template_set_embedding(s, i),
               (size_t)c->dimension * sizeof(float));
        c->members[c->count++] =
            (struct member){.person = enrolled ? template_set_person(s, i) : 0, .seen = faces, .excess = NAN};
        taken++;
    }
}

void cohort_fill(struct cohort *c, struct template_set *unknown_people, struct template_set *people)
{
    c->count = 0;
    cohort_add_people(c, unknown_people, false);
    cohort_add_people(c, people, true);
}

/* Moves the k smallest to the front (quickselect; C. A. R. Hoare, "Algorithm 65: FIND", 1961). */
static void cohort_select_smallest(double *list, int count, int k)
{
    int low = 0, high = count - 1;

    while (low < high) {
        double pivot = list[low + (high - low) / 2];
        int i = low, j = high;

        while (i <= j) {
            while (list[i] < pivot)
                i++;
            while (list[j] > pivot)
                j--;
            if (i <= j) {
                double swap = list[i];

                list[i++] = list[j];
                list[j--] = swap;
            }
        }
        if (k - 1 <= j)
            high = j;
        else if (k - 1 >= i)
            low = i;
        else
            return;
    }
}

bool cohort_measure(struct cohort *c, const float *probe, double same, struct normal *out)
{
    int count = 0, nearest;
    double sum = 0, squares = 0;

    for (int i = 0; i < c->count; i++) {
        double d = embedding_distance(c->metric, probe, cohort_face(c, i), c->dimension);

        if (d >= same)
            c->distances[count++] = d;
    }
    if (count < COHORT_MIN / 2)
        return false;
    nearest = count / 3 < COHORT_NEAREST ? count / 3 : COHORT_NEAREST;
    cohort_select_smallest(c->distances, count, nearest);
    for (int i = 0; i < nearest; i++)
        sum += c->distances[i];
    out->mean = sum / nearest;
    for (int i = 0; i < nearest; i++)
        squares += (c->distances[i] - out->mean) * (c->distances[i] - out->mean);
    out->deviation = sqrt(squares / nearest);
    return out->deviation > 1e-9 * (1 + out->mean);
}

struct alike { /* the nearest measured faces, nearest first */
    double distances[COHORT_ALIKE], excess[COHORT_ALIKE];
    int count;
};

static void alike_insert(struct alike *a, double distance, double excess)
{
    int at = a->count < COHORT_ALIKE ? a->count++ : COHORT_ALIKE - 1;

    for (; at > 0 && a->distances[at - 1] > distance; at--) {
        a->distances[at] = a->distances[at - 1];
        a->excess[at] = a->excess[at - 1];
    }
    a->distances[at] = distance;
    a->excess[at] = excess;
}

bool cohort_alike(const struct cohort *c, const float *probe, double same, double *mean)
{
    struct alike a = {.count = 0};
    double sum = 0;

    for (int i = 0; i < c->count; i++) {
        double d;

        if (isnan(c->members[i].excess))
            continue;
        d = embedding_distance(c->metric, probe, cohort_face(c, i), c->dimension);
        if (d >= same && (a.count < COHORT_ALIKE || d < a.distances[COHORT_ALIKE - 1]))
            alike_insert(&a, d, c->members[i].excess);
    }
    if (a.count < COHORT_ALIKE)
        return false;
    for (int i = 0; i < COHORT_ALIKE; i++)
        sum += a.excess[i];
    *mean = sum / COHORT_ALIKE;
    return true;
}
