/* A cohort: faces of many different people, against whom a likeness is measured. One thread.
 *
 * How near a probe is to a person means little by itself: some faces are near to everybody. So the distance is compared
 * with those to the nearest of a cohort of strangers, from both sides (adaptive symmetric normalisation, s-norm;
 * Matejka et al., “Analysis of Score Normalization in Multilingual Speaker Verification”, Interspeech 2017):
 *
 *     score = ((m_probe - d) / s_probe + (m_person - d) / s_person) / 2
 *
 * where m and s are mean and standard deviation of the distances to the nearest 200 of the cohort, of a thousand. The
 * cohort is this installation's own: faces nobody knows, and the other people of the gallery. One of its faces that is
 * so near that it may be the same person says nothing about strangers and is left out; that also lets a member of the
 * cohort be measured as if it were not in it.
 */
#ifndef KITH_CORE_MATCH_COHORT_H
#define KITH_CORE_MATCH_COHORT_H

#include <stdbool.h>
#include <stdint.h>

struct cohort;
struct template_set;

enum {
    COHORT_NEAREST = 200,
    COHORT_MIN = 200 /* of fewer faces no distribution can be told */
};

struct normal { /* of the distances to the nearest of the cohort */
    double mean, deviation;
};

struct cohort *cohort_new(uint32_t metric, int dimension, int max);
void cohort_free(struct cohort *c);
int cohort_count(const struct cohort *c);
int cohort_unknown_people(const struct cohort *c); /* the first so many are of the strangers' shelf */
const float *cohort_face(const struct cohort *c, int i);

/* Fills it anew: one face of each stranger (spread evenly over them), then, as far as there is room, one of each person
 * enrolled. Either shelf may be NULL. */
void cohort_fill(struct cohort *c, struct template_set *unknown_people, struct template_set *people);

/* False: there are too few, or they are all alike. `same`: one nearer than this may be the same person. */
bool cohort_measure(struct cohort *c, const float *probe, double same, struct normal *out);

#endif
