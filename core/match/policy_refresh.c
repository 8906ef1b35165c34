/* Updates the cohort and the calibration when the number of people or unknown people has changed by 5 %. */
#include "core/base/must.h"
#include "core/match/calibration.h"
#include "core/match/policy_internal.h"

#include <math.h>
#include <stdlib.h>

enum {
    PROBES_MAX = 2000, /* faces of the cohort that are measured for a calibration */
    SEEN_MAX = 20,     /* a person seen more often counts as so many: few people shall not decide the quartiles */
    SLICE = 16         /* faces measured in one call: other jobs of the thread wait so long */
};

static bool refresh_is_due(size_t now, size_t then)
{
    return now > then ? now - then > then / 20 : then - now > then / 20;
}

/* The new cohort takes the place of the old one. */
static void refresh_replace_cohort(struct impostor_model *b)
{
    cohort_free(b->cohort);
    b->cohort = b->next;
    b->next = NULL;
    b->state.cohort = cohort_count(b->cohort);
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
    b->next = cohort_new(b->metric, b->dimension, d->policy.cohort);
    cohort_fill(b->next, unknown_people, people);
    b->step = b->count = 0;
    b->running = cohort_count(b->next) >= COHORT_MIN && have > 0;
    if (!b->running)
        refresh_replace_cohort(b);
    else if (!b->impostors)
        b->impostors = must(calloc(PROBES_MAX, sizeof *b->impostors));
    return b->running;
}

/* The rate shall hold for the unknown faces that are really seen, so an unknown person counts once for each face. */
static double refresh_weight(const struct impostor_model *b, int face)
{
    return cohort_person(b->next, face) ? 1 : fmin(cohort_seen(b->next, face), SEEN_MAX);
}

/* Adds the scores that this face of the cohort reaches among all people whom it does not show. */
static void refresh_measure_scores(const struct decider *d, struct impostor_model *b, const struct decider_model *m,
                                   struct template_set *people, int face)
{
    struct hit list[CANDIDATES_RATED + 1], *hits = list;
    const float *probe = cohort_face(b->next, face);
    struct score_norm_probe v = decider_prepare_probe(d, b->next, m, people, probe);
    struct impostor one = {.best = NAN, .rival = NAN, .alike = NAN, .weight = refresh_weight(b, face), .face = face};
    int found;

    template_set_search(people, m->metric, &probe, 1, &hits, &found, CANDIDATES_RATED + 1);
    for (int i = 0; v.measured && i < found; i++) {
        struct score_norm norm = score_norm_person(&v, &list[i]);

        if (list[i].person == cohort_person(b->next, face) || !norm.scored)
            continue;
        if (!isnan(one.best))
            one.rival = fmax(one.rival, fmin(one.best, norm.score)); /* of NAN and a number it returns the number */
        one.best = fmax(one.best, norm.score);
    }
    if (!isnan(one.best))
        b->impostors[b->count++] = one;
}

/* A small cohort estimates the tail with less certainty, so it gets a stricter rate. The standard error of a quantile
 * falls with the square root of the number. */
static double refresh_rate(const struct decider *d, const struct impostor_model *b)
{
    enum { FULL = 1000 };

    return d->policy.rate * fmin(1, sqrt((double)cohort_count(b->next) / FULL));
}

static void refresh_begin_calibration(const struct decider *d, struct impostor_model *b)
{
    if (b->count < COHORT_MIN / 2) /* refresh_end() sees that there are too few */
        return;
    b->count = calibrate_begin(&b->next_calibration, b->impostors, b->count, refresh_rate(d, b));
    for (int i = 0; i < b->count; i++)
        cohort_set_excess(b->next, b->impostors[i].face,
                          calibration_excess(&b->next_calibration, b->impostors[i].best, b->impostors[i].rival));
}

/* Takes one step: every face of the cohort, or evenly spread ones of many, is scored; then each is compared with those
 * that are most alike. False: all is done. */
static bool refresh_step(const struct decider *d, struct impostor_model *b, const struct decider_model *m,
                         struct template_set *people)
{
    int have = cohort_count(b->next), probes = have < PROBES_MAX ? have : PROBES_MAX, step = b->step++;

    if (step < probes) {
        refresh_measure_scores(d, b, m, people, (int)((int64_t)step * have / probes));
    } else if (step == probes) {
        refresh_begin_calibration(d, b);
    } else if (step - probes - 1 < b->count) {
        struct impostor *one = &b->impostors[step - probes - 1];

        if (!cohort_alike(b->next, cohort_face(b->next, one->face), m->threshold * SCORE_NORM_SAME, &one->alike))
            one->alike = NAN;
    } else {
        return false;
    }
    return true;
}

/* `complete`: all steps were taken; else the gallery was emptied on the way. */
static bool refresh_end(const struct decider *d, struct impostor_model *b, bool complete)
{
    double before = b->state.score_threshold;
    bool calibrated = b->state.calibrated;

    b->running = false;
    b->state.calibrated = complete && b->state.people > 0 && b->count >= COHORT_MIN / 2;
    if (b->state.calibrated) {
        calibrate_end(&b->next_calibration, b->impostors, b->count, refresh_rate(d, b));
        b->calibration = b->next_calibration;
        b->state.score_threshold = b->calibration.average;
    }
    refresh_replace_cohort(b);
    return b->state.calibrated ? !calibrated || b->state.score_threshold < before - 0.1 : calibrated;
}

bool decider_refresh(struct decider *d, const struct decider_model *m, bool *threshold_lowered)
{
    struct template_set *people = decider_template_set(d, m, INDEX_TEMPLATES);
    struct impostor_model *b = decider_impostor_model(d, m);

    *threshold_lowered = false;
    if (!b->running && !refresh_begin(d, b, people))
        return false;
    for (int i = 0; i < SLICE; i++)
        if (!people || !refresh_step(d, b, m, people)) {
            *threshold_lowered = refresh_end(d, b, people != NULL);
            return false;
        }
    return true;
}
