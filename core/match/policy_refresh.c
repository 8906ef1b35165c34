/* Updates the cohort and the score threshold when the number of people or unknown people has changed by 5 %. */
#include "core/base/must.h"
#include "core/match/calibration.h"
#include "core/match/policy_internal.h"

#include <math.h>
#include <string.h>

enum {
    PROBES_MAX = 1000, /* unknown people, and templates, that are measured for a calibration */
    SLICE = 16         /* probes measured in one call: other jobs of the thread wait so long */
};

static bool refresh_is_due(size_t now, size_t then)
{
    return now > then ? now - then > then / 20 : then - now > then / 20;
}

static bool refresh_begin(const struct decider *d, struct impostor_model *b, struct template_set *people)
{
    struct template_set *unknown_people = unknown_people_templates(b->unknown_people);
    size_t have = people ? template_set_count(people) : 0;

    if (d->policy.threshold >= 0 || d->policy.rate <= 0 ||
        (!refresh_is_due(template_set_people(unknown_people), b->unknown_people_then) &&
         !refresh_is_due(have, b->people_then)))
        return false;
    b->unknown_people_then = template_set_people(unknown_people);
    b->people_then = have;
    cohort_fill(b->cohort, unknown_people, people);
    b->state.cohort = cohort_count(b->cohort);
    b->done = b->count = 0;
    if (!b->best)
        b->best = must(malloc(2 * PROBES_MAX * sizeof *b->best));
    return b->running = b->state.cohort >= COHORT_MIN && have > 0;
}

/* Adds the best score that this face reaches among all people but `own`; 0: the face is of an unknown person. */
static void refresh_measure_impostor(const struct decider *d, struct impostor_model *b, const struct decider_model *m,
                                     struct template_set *people, const float *embedding, int64_t own)
{
    struct hit list[CANDIDATES_RATED + 1], *hits = list;
    float *probe = must(malloc((size_t)m->dimension * sizeof(float)));
    const float *probes = memcpy(probe, embedding, (size_t)m->dimension * sizeof(float));
    struct score_norm_probe v = decider_prepare_probe(d, b, m, people, probe);
    double best = -INFINITY;
    int found;

    template_set_search(people, m->metric, &probes, 1, &hits, &found, CANDIDATES_RATED + 1);
    for (int i = 0; v.measured && i < found; i++) {
        struct score_norm norm = score_norm_person(&v, &list[i], 0);

        if (list[i].person != own && norm.scored)
            best = fmax(best, norm.score);
    }
    if (isfinite(best))
        b->best[b->count++] = best;
    free(probe);
}

/* Measures one impostor: first the cohort's unknown people, then templates spread evenly over the gallery, each against
 * all people but its own. False: all are measured. */
static bool refresh_measure_next(const struct decider *d, struct impostor_model *b, const struct decider_model *m,
                                 struct template_set *people)
{
    int unknown_people = cohort_unknown_people(b->cohort) < PROBES_MAX ? cohort_unknown_people(b->cohort) : PROBES_MAX;
    size_t have = template_set_count(people), enrolled = have < PROBES_MAX ? have : PROBES_MAX;

    if (b->done < unknown_people) {
        refresh_measure_impostor(d, b, m, people, cohort_face(b->cohort, b->done), 0);
    } else if ((size_t)(b->done - unknown_people) < enrolled && b->state.people > 1) {
        size_t slot = (size_t)(b->done - unknown_people) * have / enrolled;

        refresh_measure_impostor(d, b, m, people, template_set_embedding(people, slot),
                                 template_set_person(people, slot));
    } else {
        return false;
    }
    b->done++;
    return true;
}

static bool refresh_end(const struct decider *d, struct impostor_model *b)
{
    enum { FULL = 1000 };
    struct decider_state before = b->state;
    /* A small cohort estimates the tail with less certainty, so it gets a stricter rate. */
    double rate = d->policy.rate * fmin(1, (double)b->state.cohort / FULL);

    b->running = false;
    b->state.calibrated = b->count >= COHORT_MIN / 2;
    if (!b->state.calibrated)
        return before.calibrated;
    b->state.score_threshold = calibrate_score(b->best, b->count, b->state.people, rate);
    return !before.calibrated || b->state.score_threshold < before.score_threshold - 0.1;
}

bool decider_refresh(struct decider *d, const struct decider_model *m, bool *threshold_lowered)
{
    struct template_set *people = decider_template_set(d, m, INDEX_TEMPLATES);
    struct impostor_model *b = decider_impostor_model(d, m);

    *threshold_lowered = false;
    if (!b->running && !refresh_begin(d, b, people))
        return false;
    for (int i = 0; i < SLICE; i++)
        if (!people || !refresh_measure_next(d, b, m, people)) {
            *threshold_lowered = refresh_end(d, b);
            return false;
        }
    return true;
}
