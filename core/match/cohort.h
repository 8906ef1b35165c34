/* The cohort: embeddings of many different people, against which a distance is normalised. One thread.
 *
 * A distance means little by itself: some faces are near to every other. So it is compared with the distances to the
 * nearest faces of a cohort of impostors, from the side of the probe and of the person (adaptive symmetric score
 * normalisation, AS-norm; Matejka et al., "Analysis of Score Normalization in Multilingual Speaker Verification",
 * Interspeech 2017):
 *
 *     score = ((m_probe - d) / s_probe + (m_person - d) / s_person) / 2
 *
 * d is the distance between the probe and the person's templates, m and s are mean and standard deviation of the
 * distances to the nearest COHORT_NEAREST faces of the cohort, at most a third of it. The cohort holds this
 * installation's own faces: unknown people and enrolled people. A cohort face that is nearer than `same` may show the
 * same person and is left out; so a member of the cohort can be measured as if it were not in it.
 */
#ifndef KITH_CORE_MATCH_COHORT_H
#define KITH_CORE_MATCH_COHORT_H

#include <stdbool.h>
#include <stdint.h>

struct cohort;
struct template_set;

enum {
    COHORT_NEAREST = 200, /* faces that mean and deviation are taken of */
    COHORT_ALIKE = 25,    /* faces that cohort_alike() takes the mean of */
    COHORT_MIN = 200      /* faces; a smaller cohort gives no scores, and the fallback threshold is used */
};

struct normal { /* distances to the nearest faces of the cohort */
    double mean, deviation;
};

/* For embeddings of `dimension` floats; at most `max` faces. `metric`: enum match_metric. */
struct cohort *cohort_new(uint32_t metric, int dimension, int max);
void cohort_free(struct cohort *c);                      /* NULL is fine */
int cohort_count(const struct cohort *c);                /* faces */
const float *cohort_face(const struct cohort *c, int i); /* `dimension` floats, valid until the next cohort_fill() */

int64_t cohort_person(const struct cohort *c, int i); /* the enrolled person it shows, or 0 */
int cohort_seen(const struct cohort *c, int i);       /* faces of that person in the set it was filled from */

/* Fills the cohort anew: one face of each unknown person, spread evenly over them if they are too many, then, as far as
 * there is capacity, one of each enrolled person. Either set may be NULL. */
void cohort_fill(struct cohort *c, struct template_set *unknown_people, struct template_set *people);

/* Measures the distances between `probe` and the cohort, without faces nearer than `same`. False: too few faces are
 * left, or their distances do not differ. */
bool cohort_measure(struct cohort *c, const float *probe, double same, struct normal *out);

/* Sets the excess (calibration.h) of face i as an impostor. cohort_fill() sets it to NAN: not measured. */
void cohort_set_excess(struct cohort *c, int i, double excess);

/* Sets `mean` to the mean excess of the COHORT_ALIKE faces nearest to `probe` that are measured, without faces nearer
 * than `same`: so easily are faces of this type taken for an enrolled person. False: fewer than that are measured. */
bool cohort_alike(const struct cohort *c, const float *probe, double same, double *mean);

#endif
