#include "core/match/policy_internal.h"

#include "core/base/must.h"
#include "core/match/search/distance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct decider *decider_new(const struct decider_policy *policy)
{
    struct decider *d = must(calloc(1, sizeof *d));

    d->policy = *policy;
    d->index = gallery_index_new(policy->folder, policy->memory_max);
    return d;
}

static void impostor_model_free(struct impostor_model *b)
{
    unknown_people_free(b->unknown_people);
    cohort_free(b->cohort);
    cohort_free(b->next);
    free(b->impostors);
    free(b->model);
    *b = (struct impostor_model){0};
}

void decider_free(struct decider *d)
{
    if (!d)
        return;
    decider_clear(d);
    gallery_index_free(d->index);
    free(d);
}

void decider_clear(struct decider *d)
{
    for (int i = 0; i < MODELS_MAX; i++)
        impostor_model_free(&d->impostor_models[i]);
    d->asked_last = NULL;
    gallery_index_clear(d->index);
}

struct gallery_index *decider_index(struct decider *d)
{
    return d->index;
}

struct decider_state decider_state(const struct decider *d)
{
    return d->asked_last ? d->asked_last->state : (struct decider_state){0};
}

struct template_set *decider_template_set(const struct decider *d, const struct decider_model *m, enum index_kind kind)
{
    return gallery_index_template_set(d->index, kind, m->id, m->dimension);
}

/* The more people there are, the more often one is near by chance: ten times as many take a tenth off the threshold. A
 * rule of thumb with round figures, without a source, for the time before there is a cohort to measure. */
static double decider_fallback_threshold(const struct decider_model *m, double people)
{
    double share = 0.9 - 0.1 * log10(fmax(1, people / 10));

    return m->threshold * fmax(share, 0.65);
}

static bool impostor_model_fits(const struct impostor_model *b, const struct decider_model *m)
{
    return b->model && strcmp(b->model, m->id) == 0 && b->dimension == m->dimension && b->metric == m->metric;
}

/* Returns the model's, or a new one in place of the least recently used. */
static struct impostor_model *decider_find_impostor_model(struct decider *d, const struct decider_model *m)
{
    struct impostor_model *oldest = &d->impostor_models[0];

    for (int i = 0; i < MODELS_MAX; i++) {
        if (impostor_model_fits(&d->impostor_models[i], m))
            return &d->impostor_models[i];
        if (d->impostor_models[i].asked < oldest->asked)
            oldest = &d->impostor_models[i];
    }
    impostor_model_free(oldest);
    oldest->model = must(strdup(m->id));
    oldest->metric = m->metric;
    oldest->dimension = m->dimension;
    oldest->unknown_people = unknown_people_new(m->id, m->metric, m->dimension, d->policy.unknown_people);
    oldest->cohort = cohort_new(m->metric, m->dimension, d->policy.cohort);
    return oldest;
}

struct impostor_model *decider_impostor_model(struct decider *d, const struct decider_model *m)
{
    struct template_set *people = decider_template_set(d, m, INDEX_TEMPLATES);
    struct impostor_model *b = decider_find_impostor_model(d, m);

    b->asked = ++d->asks;
    b->state.people = people ? (int)template_set_people(people) : 0;
    b->state.unknown_people = (int)template_set_people(unknown_people_templates(b->unknown_people));
    b->state.threshold = d->policy.threshold >= 0 ? d->policy.threshold
                         : d->policy.rate > 0     ? decider_fallback_threshold(m, b->state.people)
                                                  : m->threshold;
    return d->asked_last = b;
}

struct score_norm_probe decider_prepare_probe(const struct decider *d, struct cohort *cohort,
                                              const struct decider_model *m, struct template_set *people,
                                              const float *probe)
{
    bool by_score = d->policy.threshold < 0 && d->policy.rate > 0 && cohort_count(cohort) >= COHORT_MIN;
    struct score_norm_probe v = {.metric = m->metric,
                                 .same = m->threshold,
                                 .people = people,
                                 .cohort = by_score ? cohort : NULL,
                                 .probe = probe};

    score_norm_prepare(&v);
    return v;
}

/* --- a decision --- */

struct rated {
    struct candidate candidate;
    struct score_norm norm;
    double score_threshold;
    size_t slot;                   /* of the nearest template */
    bool denied, within_threshold; /* within_threshold: the recogniser's own */
};

static bool decider_is_refuted(const struct decider *d, const struct decider_model *m, const float *probe,
                               int64_t person, double distance)
{
    struct template_set *counters = decider_template_set(d, m, INDEX_COUNTERS);
    size_t first = counters ? template_set_find(counters, person) : SIZE_MAX, slot = first;

    if (first == SIZE_MAX)
        return false;
    do {
        if (embedding_distance(m->metric, probe, template_set_embedding(counters, slot), m->dimension) <= distance)
            return true;
        slot = template_set_next_of(counters, slot);
    } while (slot != first);
    return false;
}

/* Logistic function, 0.5 at the score threshold. The slope is chosen so that a usual genuine match, about 6 above it,
 * is 0.97. */
static double decider_score_similarity(double score, double score_threshold)
{
    return 1 / (1 + exp(-0.6 * (score - score_threshold)));
}

static void decider_measure_candidate(const struct decider *d, const struct impostor_model *b,
                                      const struct decider_model *m, const struct score_norm_probe *v,
                                      const struct template_set *people, const struct hit *hit, struct rated *out)
{
    out->norm = score_norm_person(v, hit);
    out->norm.scored &= b->state.calibrated;
    out->candidate.person = hit->person;
    out->slot = hit->slot;
    out->candidate.distance = hit->distance;
    out->candidate.template = template_set_id(people, hit->slot);
    out->denied = decider_is_refuted(d, m, v->probe, hit->person, hit->distance);
    out->within_threshold = hit->distance <= m->threshold || d->policy.threshold >= 0;
}

/* The best score among the other candidates; NAN: there is none. A person who was denied is no rival. */
static double decider_rival_score(const struct rated *list, int count, int candidate)
{
    double rival = NAN;

    for (int i = 0; i < count; i++)
        if (i != candidate && list[i].norm.scored && !list[i].denied)
            rival = fmax(rival, list[i].norm.score); /* of a number and NAN it returns the number */
    return rival;
}

/* Sets score thresholds and similarities. A face of a type that is often confused needs a higher score. */
static void decider_rate_candidates(const struct impostor_model *b, const struct score_norm_probe *v,
                                    struct rated *list, int count)
{
    double alike = NAN;

    if (b->state.calibrated && v->measured && !cohort_alike(b->cohort, v->probe, v->same * SCORE_NORM_SAME, &alike))
        alike = NAN;
    for (int i = 0; i < count; i++) {
        struct rated *one = &list[i];
        double rival = decider_rival_score(list, count, i);

        one->score_threshold = one->norm.scored ? calibration_threshold(&b->calibration, alike, rival) : 0;
        one->candidate.similarity = one->norm.scored ? decider_score_similarity(one->norm.score, one->score_threshold)
                                                     : similarity_of(one->candidate.distance, b->state.threshold);
        if (one->denied || !one->within_threshold) /* 0.5 is the threshold: stay below it */
            one->candidate.similarity = fmin(one->candidate.similarity, 0.4999);
    }
}

static int rated_compare(const void *a, const void *b)
{
    const struct rated *x = a, *y = b;
    double by = y->candidate.similarity - x->candidate.similarity;

    if (by == 0) /* both are rounded to 0 or 1 */
        by = x->candidate.distance - y->candidate.distance;
    if (by == 0) /* as in the search: qsort() does not keep the order of equals */
        return x->candidate.person < y->candidate.person ? -1 : x->candidate.person > y->candidate.person;
    return by < 0 ? -1 : 1;
}

/* Records the rule that was applied, and the threshold for the best candidate. */
static void decider_explain(const struct decider *d, const struct impostor_model *b, const struct rated *best,
                            struct face *f)
{
    struct decision *why = &f->decision;

    *why = (struct decision){.people = b->state.people, .cohort = cohort_count(b->cohort)};
    if (best && best->norm.scored) {
        why->rule = DECIDED_BY_FPIR;
        why->score = best->norm.score;
        why->score_threshold = best->score_threshold;
        why->mean = best->norm.to_mean;
        why->threshold = score_norm_distance(&best->norm, best->score_threshold);
    } else {
        why->rule = d->policy.threshold < 0 && d->policy.rate > 0 ? DECIDED_BY_FALLBACK : DECIDED_BY_FIXED;
        why->mean = best ? best->norm.distance : 0;
        why->threshold = b->state.threshold;
    }
}

static void decider_decide_face(const struct decider *d, const struct impostor_model *b, const struct decider_model *m,
                                struct template_set *people, const struct hit *hits, int count, struct face *f,
                                struct arena *arena)
{
    struct score_norm_probe v = decider_prepare_probe(d, b->cohort, m, people, f->embedding);
    struct rated *list = must(calloc((size_t)count + 1, sizeof *list));
    struct candidate *candidates = arena_alloc(arena, (size_t)count * sizeof *candidates + 1);
    int64_t denied = 0;

    for (int i = 0; i < count; i++)
        decider_measure_candidate(d, b, m, &v, people, &hits[i], &list[i]);
    decider_rate_candidates(b, &v, list, count);
    qsort(list, (size_t)count, sizeof *list, rated_compare);
    f->candidates = candidates;
    f->candidate_count = count < d->policy.candidates ? count : d->policy.candidates;
    for (int i = 0; i < f->candidate_count; i++)
        candidates[i] = list[i].candidate;
    for (int i = 0; i < count && !denied; i++)
        if (list[i].denied && list[i].within_threshold)
            denied = list[i].candidate.person;
    decider_explain(d, b, count ? &list[0] : NULL, f);
    f->decision.denied = denied;
    if (count) {
        f->distance = list[0].candidate.distance;
        f->similarity = list[0].candidate.similarity;
    }
    if (count && f->similarity >= 0.5 && (double)f->quality >= d->policy.quality) {
        f->person = list[0].candidate.person;
        f->template = template_set_id(people, list[0].slot);
    } else if (count && f->similarity >= 0.5) {
        f->decision.rule = DECIDED_BY_QUALITY;
        f->decision.quality = d->policy.quality;
    } else if (denied) {
        f->decision.rule = DECIDED_BY_DENIAL;
    }
    free(list);
}

static bool decider_accepts_face(const struct decider_model *m, const struct face *f)
{
    return f->embedding && f->dimension == m->dimension && embedding_is_sane(m->metric, f->embedding, f->dimension) &&
           (!f->model || strcmp(f->model, m->id) == 0);
}

void decider_decide(struct decider *d, const struct decider_model *m, struct face *const *faces,
                    struct arena *const *arenas, int count)
{
    int max = d->policy.candidates > CANDIDATES_RATED ? d->policy.candidates : CANDIDATES_RATED, n = 0;
    struct template_set *people = decider_template_set(d, m, INDEX_TEMPLATES);
    const float **probes = must(calloc((size_t)count + 1, sizeof *probes));
    struct hit *room = must(calloc((size_t)count * (size_t)max + 1, sizeof *room));
    struct hit **hits = must(calloc((size_t)count + 1, sizeof *hits));
    int *found = must(calloc((size_t)count + 1, sizeof *found)), at = 0;
    struct impostor_model *b = decider_impostor_model(d, m);

    for (int i = 0; i < count; i++) {
        faces[i]->person = PERSON_UNKNOWN;
        faces[i]->template = 0;
        faces[i]->candidates = NULL;
        faces[i]->candidate_count = 0;
        if (!decider_accepts_face(m, faces[i]))
            continue;
        hits[n] = room + (size_t)n * (size_t)max;
        probes[n++] = faces[i]->embedding;
    }
    if (people)
        template_set_search(people, m->metric, probes, n, hits, found, max);
    for (int i = 0; i < count; i++)
        if (decider_accepts_face(m, faces[i])) {
            decider_decide_face(d, b, m, people, hits[at], found[at], faces[i], arenas[i]);
            at++;
        }
    free(found);
    free(hits);
    free(room);
    free(probes);
}

void decider_select_near(struct decider *d, const struct decider_model *m, struct template_set *among,
                         const struct face *const *faces, int count, bool *near)
{
    const double reach = d->policy.threshold >= 0 ? d->policy.threshold : m->threshold;
    struct template_set *templates = among ? among : decider_template_set(d, m, INDEX_TEMPLATES);
    const float **probes = must(calloc((size_t)count + 1, sizeof *probes));
    struct hit *room = must(calloc((size_t)count + 1, sizeof *room)),
               **hits = must(calloc((size_t)count + 1, sizeof *hits));
    int *found = must(calloc((size_t)count + 1, sizeof *found)), *face = must(calloc((size_t)count + 1, sizeof *face)),
        n = 0;

    for (int i = 0; i < count; i++) {
        near[i] = false;
        if (!templates || !decider_accepts_face(m, faces[i]))
            continue;
        face[n] = i;
        hits[n] = &room[n];
        probes[n++] = faces[i]->embedding;
    }
    if (n)
        template_set_search(templates, m->metric, probes, n, hits, found, 1);
    for (int i = 0; i < n; i++)
        near[face[i]] = found[i] && hits[i]->distance <= reach;
    free(face);
    free(found);
    free(hits);
    free(room);
    free(probes);
}

bool decider_denies(struct decider *d, const struct decider_model *m, const struct face *face, int64_t person)
{
    struct template_set *people = decider_template_set(d, m, INDEX_TEMPLATES);
    size_t first = people && decider_accepts_face(m, face) ? template_set_find(people, person) : SIZE_MAX, slot = first;
    double distance = INFINITY;

    if (!decider_accepts_face(m, face))
        return false;
    for (bool more = first != SIZE_MAX; more; more = slot != first) {
        distance = fmin(distance, embedding_distance(m->metric, face->embedding, template_set_embedding(people, slot),
                                                     m->dimension));
        slot = template_set_next_of(people, slot);
    }
    return decider_is_refuted(d, m, face->embedding, person, distance);
}

/* --- unknown people --- */

int64_t decider_assign_unknown(struct decider *d, const struct decider_model *m, int64_t face, int64_t unknown_person,
                               const float *embedding)
{
    struct impostor_model *b;

    if (!embedding_is_sane(m->metric, embedding, m->dimension))
        return 0;
    b = decider_impostor_model(d, m);
    return unknown_people_assign(b->unknown_people, decider_fallback_threshold(m, b->state.unknown_people), face,
                                 unknown_person, embedding);
}

void decider_forget(struct decider *d, int64_t face)
{
    for (int i = 0; i < MODELS_MAX; i++)
        if (d->impostor_models[i].unknown_people)
            unknown_people_forget(d->impostor_models[i].unknown_people, face);
}
