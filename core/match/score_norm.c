#include "core/match/score_norm.h"

#include "core/base/must.h"
#include "core/match/search/distance.h"

#include <stdlib.h>
#include <string.h>

/* Templates in the mean, at most: the nearest to the probe. Embeddings scatter around a person, and the mean of a few
 * has less of that noise. Outliers (an old photo, a wrong name) are excluded: templates farther than the recogniser's
 * threshold from the nearest one. */
enum { MEAN_OF = 4 };

void score_norm_prepare(struct score_norm_probe *v)
{
    v->measured = v->cohort && cohort_measure(v->cohort, v->probe, v->same * SCORE_NORM_SAME, &v->probe_side);
}

struct nearest {
    size_t slots[MEAN_OF];
    double distances[MEAN_OF];
    int count;
};

static void nearest_insert(struct nearest *n, size_t slot, double distance)
{
    int at = n->count < MEAN_OF ? n->count++ : MEAN_OF;

    for (; at > 0 && n->distances[at - 1] > distance; at--)
        if (at < MEAN_OF) {
            n->slots[at] = n->slots[at - 1];
            n->distances[at] = n->distances[at - 1];
        }
    if (at < MEAN_OF) {
        n->slots[at] = slot;
        n->distances[at] = distance;
    }
}

/* Writes the mean of the person's templates near the hit into `mean`, `dimension` floats. */
static void score_norm_local_mean(const struct score_norm_probe *v, const struct hit *hit, float *mean)
{
    int dimension = template_set_dimension(v->people), used = 1;
    struct nearest n = {0};
    float *first = malloc((size_t)dimension * sizeof(float));

    if (!first)
        out_of_memory();
    for (size_t slot = template_set_next_of(v->people, hit->slot); slot != hit->slot;
         slot = template_set_next_of(v->people, slot))
        nearest_insert(&n, slot,
                       embedding_distance(v->metric, v->probe, template_set_embedding(v->people, slot), dimension));
    memcpy(first, template_set_embedding(v->people, hit->slot), (size_t)dimension * sizeof(float));
    memcpy(mean, first, (size_t)dimension * sizeof(float));
    for (int i = 0; i < n.count && used < MEAN_OF; i++) {
        const float *e = template_set_embedding(v->people, n.slots[i]);

        if (embedding_distance(v->metric, first, e, dimension) > v->same)
            continue;
        for (int d = 0; d < dimension; d++)
            mean[d] += e[d];
        used++;
    }
    for (int d = 0; d < dimension; d++)
        mean[d] /= (float)used;
    free(first);
}

struct score_norm score_norm_person(const struct score_norm_probe *v, const struct hit *hit)
{
    int dimension = template_set_dimension(v->people);
    struct score_norm norm = {.distance = hit->distance};
    float *mean = malloc((size_t)dimension * sizeof(float));
    struct normal person;

    if (!mean)
        out_of_memory();
    score_norm_local_mean(v, hit, mean);
    norm.to_mean = embedding_distance(v->metric, v->probe, mean, dimension);
    if (v->measured && cohort_measure(v->cohort, mean, v->same * SCORE_NORM_SAME, &person)) {
        double a = 1 / v->probe_side.deviation, b = 1 / person.deviation;

        norm.scored = true;
        norm.score = ((v->probe_side.mean - norm.to_mean) * a + (person.mean - norm.to_mean) * b) / 2;
        norm.per_score = 2 / (a + b);
    }
    free(mean);
    return norm;
}

double score_norm_distance(const struct score_norm *norm, double score_threshold)
{
    return norm->to_mean + (norm->score - score_threshold) * norm->per_score;
}
