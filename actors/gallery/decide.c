#include "actors/gallery/decide.h"

#include "actors/gallery/calibrate.h"
#include "actors/gallery/embedding.h"
#include "actors/gallery/likeness.h"
#include "actors/gallery/strangers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CANDIDATES_LOOKED_AT = 5, /* who has the best score is not always who is nearest */
    PROBES_MAX = 1000,        /* of each kind, for a calibration */
    SLICE = 16                /* probes between two looks at what else waits */
};

struct decider {
    struct decider_policy policy;
    struct gallery_index *index;
    /* of the model that was asked for last */
    char *model;
    uint32_t metric;
    int dimension;
    struct strangers *strangers;
    struct cohort *cohort;
    struct decider_state state;
    /* the calibration under way, and what the last one was made of */
    double *best;
    int done, count;
    bool running;
    size_t strangers_then, people_then;
};

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

struct decider *decider_new(const struct decider_policy *policy)
{
    struct decider *d = must(calloc(1, sizeof *d));

    d->policy = *policy;
    d->index = gallery_index_new(policy->folder, policy->memory_max);
    d->best = must(malloc(2 * PROBES_MAX * sizeof *d->best));
    return d;
}

static void forget_model(struct decider *d)
{
    strangers_free(d->strangers);
    cohort_free(d->cohort);
    free(d->model);
    d->model = NULL;
    d->strangers = NULL;
    d->cohort = NULL;
    d->running = false;
    d->state = (struct decider_state){0};
    d->strangers_then = d->people_then = 0;
}

void decider_free(struct decider *d)
{
    if (!d)
        return;
    forget_model(d);
    gallery_index_free(d->index);
    free(d->best);
    free(d);
}

void decider_clear(struct decider *d)
{
    forget_model(d);
    gallery_index_clear(d->index);
}

struct gallery_index *decider_index(struct decider *d)
{
    return d->index;
}

struct decider_state decider_state(const struct decider *d)
{
    return d->state;
}

static struct shelf *shelf_of(const struct decider *d, const struct decider_model *m, enum index_kind kind)
{
    return gallery_index_shelf(d->index, kind, m->id, m->dimension);
}

/* The more people there are the more often one of them is near by chance: of ten times as many, from a tenth less far.
 * A rule of thumb for the time before anything is known; its figures are round on purpose. */
static double careful_threshold(const struct decider_model *m, double people)
{
    double share = 0.9 - 0.1 * log10(fmax(1, people / 10));

    return m->threshold * fmax(share, 0.65);
}

static void use_model(struct decider *d, const struct decider_model *m)
{
    struct shelf *people = shelf_of(d, m, INDEX_TEMPLATES);

    if (!d->model || strcmp(d->model, m->id) != 0 || d->dimension != m->dimension || d->metric != m->metric) {
        forget_model(d);
        d->model = must(strdup(m->id));
        d->metric = m->metric;
        d->dimension = m->dimension;
        d->strangers = strangers_new(m->id, m->metric, m->dimension, d->policy.strangers);
        d->cohort = cohort_new(m->metric, m->dimension, d->policy.cohort);
    }
    d->state.people = people ? (int)shelf_people(people) : 0;
    d->state.strangers = (int)shelf_people(strangers_shelf(d->strangers));
    d->state.threshold = d->policy.threshold >= 0 ? d->policy.threshold
                         : d->policy.rate > 0     ? careful_threshold(m, d->state.people)
                                                  : m->threshold;
}

static struct likeness_view view_of(struct decider *d, const struct decider_model *m, struct shelf *people,
                                    const float *probe)
{
    bool by_score = d->policy.threshold < 0 && d->policy.rate > 0 && cohort_count(d->cohort) >= COHORT_LEAST;
    struct likeness_view v = {.metric = m->metric,
                              .same = m->threshold,
                              .people = people,
                              .cohort = by_score ? d->cohort : NULL,
                              .probe = probe};

    likeness_look(&v);
    return v;
}

/* --- a decision --- */

struct judged {
    struct candidate candidate;
    struct likeness like;
    bool denied, near; /* near: within the recogniser's own threshold */
};

static bool is_denied(const struct decider *d, const struct decider_model *m, const float *probe, int64_t person,
                      double distance)
{
    struct shelf *counters = shelf_of(d, m, INDEX_COUNTERS);
    size_t first = counters ? shelf_find(counters, person) : SIZE_MAX, slot = first;

    if (first == SIZE_MAX)
        return false;
    do {
        if (embedding_distance(m->metric, probe, shelf_embedding(counters, slot), m->dimension) <= distance)
            return true;
        slot = shelf_next_of(counters, slot);
    } while (slot != first);
    return false;
}

/* The slope at which a score becomes a similarity: a genuine match is some six above what is needed: 0.97. */
static double similarity_of_score(double score, double needed)
{
    return 1 / (1 + exp(-0.6 * (score - needed)));
}

static void judge(struct decider *d, const struct decider_model *m, const struct likeness_view *v,
                  const struct hit *hit, struct judged *out)
{
    bool by_score = v->measured && d->state.calibrated;

    out->like = likeness_of(v, hit, d->state.needed);
    out->like.scored &= by_score;
    out->candidate.person = hit->person;
    out->candidate.distance = hit->distance;
    out->denied = is_denied(d, m, v->probe, hit->person, hit->distance);
    out->near = hit->distance <= m->threshold || d->policy.threshold >= 0;
    out->candidate.similarity = out->like.scored ? similarity_of_score(out->like.score, d->state.needed)
                                                 : similarity_of(hit->distance, d->state.threshold);
    if (out->denied || !out->near) /* 0.5 is the threshold, and it is not reached */
        out->candidate.similarity = fmin(out->candidate.similarity, 0.4999);
}

static int most_similar_first(const void *a, const void *b)
{
    const struct judged *x = a, *y = b;
    double by = y->candidate.similarity - x->candidate.similarity;

    if (by == 0) /* both are as good as certain, or as good as impossible */
        by = x->candidate.distance - y->candidate.distance;
    return by < 0 ? -1 : by > 0;
}

/* Of the rule, and what would have been enough for the best candidate. */
static void explain(const struct decider *d, const struct judged *best, struct face *f)
{
    struct decision *why = &f->decision;

    *why = (struct decision){.people = d->state.people, .cohort = cohort_count(d->cohort)};
    if (best && best->like.scored) {
        why->rule = DECIDED_BY_RATE;
        why->score = best->like.score;
        why->needed = d->state.needed;
        why->mean = best->like.to_mean;
        why->threshold = best->like.threshold;
    } else {
        why->rule = d->policy.threshold < 0 && d->policy.rate > 0 ? DECIDED_BY_CAREFUL : DECIDED_BY_FIXED;
        why->mean = best ? best->like.distance : 0;
        why->threshold = d->state.threshold;
    }
}

static void decide_one(struct decider *d, const struct decider_model *m, struct shelf *people, const struct hit *hits,
                       int count, struct face *f, struct arena *arena)
{
    struct likeness_view v = view_of(d, m, people, f->embedding);
    struct judged *list = must(calloc((size_t)count + 1, sizeof *list));
    struct candidate *candidates = arena_alloc(arena, (size_t)count * sizeof *candidates + 1);
    int64_t denied = 0;

    for (int i = 0; i < count; i++)
        judge(d, m, &v, &hits[i], &list[i]);
    qsort(list, (size_t)count, sizeof *list, most_similar_first);
    f->candidates = candidates;
    f->candidate_count = count < d->policy.candidates ? count : d->policy.candidates;
    for (int i = 0; i < f->candidate_count; i++)
        candidates[i] = list[i].candidate;
    for (int i = 0; i < count && !denied; i++)
        if (list[i].denied && list[i].near)
            denied = list[i].candidate.person;
    explain(d, count ? &list[0] : NULL, f);
    f->decision.denied = denied;
    if (count) {
        f->distance = list[0].candidate.distance;
        f->similarity = list[0].candidate.similarity;
    }
    if (count && f->similarity >= 0.5 && (double)f->quality >= d->policy.quality) {
        f->person = list[0].candidate.person;
    } else if (count && f->similarity >= 0.5) {
        f->decision.rule = DECIDED_BY_QUALITY;
        f->decision.quality = d->policy.quality;
    } else if (denied) {
        f->decision.rule = DECIDED_BY_DENIAL;
    }
    free(list);
}

static bool is_ours(const struct decider_model *m, const struct face *f)
{
    return f->embedding && f->dimension == m->dimension && embedding_is_sane(m->metric, f->embedding, f->dimension) &&
           (!f->model || strcmp(f->model, m->id) == 0);
}

void decider_decide(struct decider *d, const struct decider_model *m, struct face *const *faces,
                    struct arena *const *arenas, int count)
{
    int max = d->policy.candidates > CANDIDATES_LOOKED_AT ? d->policy.candidates : CANDIDATES_LOOKED_AT, n = 0;
    struct shelf *people = shelf_of(d, m, INDEX_TEMPLATES);
    const float **probes = must(calloc((size_t)count + 1, sizeof *probes));
    struct hit *room = must(calloc((size_t)count * (size_t)max + 1, sizeof *room));
    struct hit **hits = must(calloc((size_t)count + 1, sizeof *hits));
    int *found = must(calloc((size_t)count + 1, sizeof *found)), at = 0;

    use_model(d, m);
    for (int i = 0; i < count; i++) {
        faces[i]->person = PERSON_UNKNOWN;
        faces[i]->candidates = NULL;
        faces[i]->candidate_count = 0;
        if (!is_ours(m, faces[i]))
            continue;
        hits[n] = room + (size_t)n * (size_t)max;
        probes[n++] = faces[i]->embedding;
    }
    if (people)
        shelf_search(people, m->metric, probes, n, hits, found, max);
    for (int i = 0; i < count; i++)
        if (is_ours(m, faces[i])) {
            decide_one(d, m, people, hits[at], found[at], faces[i], arenas[i]);
            at++;
        }
    free(found);
    free(hits);
    free(room);
    free(probes);
}

bool decider_denies(struct decider *d, const struct decider_model *m, const struct face *face, int64_t person)
{
    struct shelf *people = shelf_of(d, m, INDEX_TEMPLATES);
    size_t first = people && is_ours(m, face) ? shelf_find(people, person) : SIZE_MAX, slot = first;
    double distance = INFINITY;

    if (!is_ours(m, face))
        return false;
    for (bool more = first != SIZE_MAX; more; more = slot != first) {
        distance =
            fmin(distance, embedding_distance(m->metric, face->embedding, shelf_embedding(people, slot), m->dimension));
        slot = shelf_next_of(people, slot);
    }
    return is_denied(d, m, face->embedding, person, distance);
}

/* --- strangers --- */

int64_t decider_meet(struct decider *d, const struct decider_model *m, int64_t face, int64_t stranger,
                     const float *embedding)
{
    if (!embedding_is_sane(m->metric, embedding, m->dimension))
        return 0;
    use_model(d, m);
    return strangers_meet(d->strangers, careful_threshold(m, d->state.strangers), face, stranger, embedding);
}

void decider_forget(struct decider *d, int64_t face)
{
    if (d->strangers)
        strangers_forget(d->strangers, face);
}

/* --- calibration --- */

static bool changed_enough(size_t now, size_t then)
{
    return now > then ? now - then > then / 20 : then - now > then / 20;
}

static bool begin_refresh(struct decider *d, const struct decider_model *m, struct shelf *people)
{
    struct shelf *strangers = strangers_shelf(d->strangers);
    size_t have = people ? shelf_count(people) : 0;

    if (d->policy.threshold >= 0 || d->policy.rate <= 0 ||
        (!changed_enough(shelf_people(strangers), d->strangers_then) && !changed_enough(have, d->people_then)))
        return false;
    (void)m;
    d->strangers_then = shelf_people(strangers);
    d->people_then = have;
    cohort_fill(d->cohort, strangers, people);
    d->state.cohort = cohort_count(d->cohort);
    d->done = d->count = 0;
    return d->running = d->state.cohort >= COHORT_LEAST && have > 0;
}

/* The best score that this face, which is nobody's, or `own`'s, reaches among the others. */
static void measure_stranger(struct decider *d, const struct decider_model *m, struct shelf *people,
                             const float *embedding, int64_t own)
{
    struct hit list[CANDIDATES_LOOKED_AT + 1], *hits = list;
    float *probe = must(malloc((size_t)m->dimension * sizeof(float)));
    const float *probes = memcpy(probe, embedding, (size_t)m->dimension * sizeof(float));
    struct likeness_view v = view_of(d, m, people, probe);
    double best = -INFINITY;
    int found;

    shelf_search(people, m->metric, &probes, 1, &hits, &found, CANDIDATES_LOOKED_AT + 1);
    for (int i = 0; v.measured && i < found; i++) {
        struct likeness like = likeness_of(&v, &list[i], 0);

        if (list[i].person != own && like.scored)
            best = fmax(best, like.score);
    }
    if (isfinite(best))
        d->best[d->count++] = best;
    free(probe);
}

/* Probes are the cohort's strangers, then templates spread evenly over the gallery, each against all but its own. */
static bool measure_next(struct decider *d, const struct decider_model *m, struct shelf *people)
{
    int strangers = cohort_strangers(d->cohort) < PROBES_MAX ? cohort_strangers(d->cohort) : PROBES_MAX;
    size_t have = shelf_count(people), enrolled = have < PROBES_MAX ? have : PROBES_MAX;

    if (d->done < strangers) {
        measure_stranger(d, m, people, cohort_face(d->cohort, d->done), 0);
    } else if ((size_t)(d->done - strangers) < enrolled && d->state.people > 1) {
        size_t slot = (size_t)(d->done - strangers) * have / enrolled;

        measure_stranger(d, m, people, shelf_embedding(people, slot), shelf_person(people, slot));
    } else {
        return false;
    }
    d->done++;
    return true;
}

static bool end_refresh(struct decider *d)
{
    enum { FULL = 1000 };
    struct decider_state before = d->state;
    /* A small cohort is measured with less certainty: less is asked of it. */
    double rate = d->policy.rate * fmin(1, (double)d->state.cohort / FULL);

    d->running = false;
    d->state.calibrated = d->count >= COHORT_LEAST / 2;
    if (!d->state.calibrated)
        return before.calibrated;
    d->state.needed = calibrate_score(d->best, d->count, d->state.people, rate);
    return !before.calibrated || d->state.needed < before.needed - 0.1;
}

bool decider_refresh(struct decider *d, const struct decider_model *m, bool *eased)
{
    struct shelf *people = shelf_of(d, m, INDEX_TEMPLATES);

    *eased = false;
    use_model(d, m);
    if (!d->running && !begin_refresh(d, m, people))
        return false;
    for (int i = 0; i < SLICE; i++)
        if (!people || !measure_next(d, m, people)) {
            *eased = end_refresh(d);
            return false;
        }
    return true;
}
