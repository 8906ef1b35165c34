/* Open-set identification: some people are enrolled with two photos each, the others are impostors. What counts is how
 * many impostors get a name (false positive identification rate) and how many of the known do not get theirs (false
 * negative identification rate; ISO/IEC 19795-1), for galleries of several sizes.
 *
 * It goes as in a service: first half of the impostors, and half of the other photos of those enrolled, are met and
 * decided; those who got no name are remembered as unknown. Then decisions are calibrated with what was seen, and the
 * other halves are measured. Beside it stands the best that a fixed threshold could do: the one that names as many
 * impostors, chosen afterwards by the result.
 */
#include "cli/eval/eval_open.h"

#include "core/base/must.h"
#include "core/match/policy.h"
#include "core/match/search/distance.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ENROLLED = 2, SIZES_MAX = 16, CONFUSIONS = 10 };

struct group { /* the photos of a person */
    struct portrait **photos;
    int count;
};

struct attempt {
    double distance; /* to the nearest; of a known person INFINITY when another person is nearest */
    bool known, named, right;
};

struct confusion {
    double similarity;
    const struct portrait *probe;
    const struct portrait *taken_for;
};

struct open_set {
    struct evaluation *e;
    struct decider_policy policy;
    struct decider_model model;
    struct group *groups;
    int group_count, enrollable; /* those with more than two photos come first */
    struct attempt *outcomes;
    int count, capacity;
    struct confusion worst[CONFUSIONS];
    int confusions;
    struct decider_state state; /* of the last run */
};

static void group_faces(struct open_set *o)
{
    struct evaluation *e = o->e;

    o->groups = calloc((size_t)e->count + 1, sizeof *o->groups);
    if (!o->groups)
        out_of_memory();
    for (int i = 0, from = 0; i < e->count; i++)
        if (i + 1 == e->count || strcmp(e->faces[i]->person, e->faces[i + 1]->person) != 0) {
            o->groups[o->group_count++] = (struct group){&e->faces[from], i + 1 - from};
            from = i + 1;
        }
}

static void shuffle(struct group *list, int count, uint64_t *random)
{
    for (int i = count; i > 1; i--) {
        int j = (int)(eval_random(random) % (uint64_t)i);
        struct group swap = list[i - 1];

        list[i - 1] = list[j];
        list[j] = swap;
    }
}

/* Those who can be enrolled first, in random order; then everybody else, and those of them that are too many. */
static void deal(struct open_set *o, uint64_t *random)
{
    int ahead = 0;

    shuffle(o->groups, o->group_count, random);
    for (int i = 0; i < o->group_count; i++)
        if (o->groups[i].count > ENROLLED) {
            struct group swap = o->groups[ahead];

            o->groups[ahead++] = o->groups[i];
            o->groups[i] = swap;
        }
    o->enrollable = ahead;
}

static struct face face_of(const struct open_set *o, const struct portrait *p)
{
    return (struct face){
        .model = o->model.id, .embedding = p->embedding, .dimension = o->model.dimension, .quality = p->quality};
}

static void enroll(struct open_set *o, struct decider *d, int size)
{
    for (int g = 0; g < size; g++)
        for (int k = 0; k < ENROLLED; k++)
            gallery_index_add(decider_index(d), INDEX_TEMPLATES,
                              &(struct template){.id = g * ENROLLED + k + 1,
                                                 .person = g + 1,
                                                 .model = o->model.id,
                                                 .embedding = o->groups[g].photos[k]->embedding,
                                                 .dimension = o->model.dimension});
}

static void meet(struct open_set *o, struct decider *d, const struct portrait *p, int64_t id)
{
    struct arena arena = {0}, *arenas = &arena;
    struct face f = face_of(o, p), *faces = &f;

    decider_decide(d, &o->model, &faces, &arenas, 1);
    if (f.person == PERSON_UNKNOWN)
        decider_assign_unknown(d, &o->model, id, 0, p->embedding);
    arena_free(&arena);
}

static const struct portrait *nearest_template(const struct open_set *o, const struct portrait *probe, int64_t person)
{
    const struct group *g = &o->groups[person - 1];
    const struct portrait *best = g->photos[0];

    for (int k = 1; k < ENROLLED; k++)
        if (embedding_distance(o->model.metric, probe->embedding, g->photos[k]->embedding, o->model.dimension) <
            embedding_distance(o->model.metric, probe->embedding, best->embedding, o->model.dimension))
            best = g->photos[k];
    return best;
}

static void remember_confusion(struct open_set *o, const struct portrait *probe, const struct face *f)
{
    int at = o->confusions < CONFUSIONS ? o->confusions++ : CONFUSIONS - 1;

    for (int i = 0; i < at; i++)
        if (o->worst[i].probe == probe) { /* once is enough: the repeats show it again */
            o->confusions = o->confusions == at + 1 ? at : o->confusions;
            return;
        }
    if (at == CONFUSIONS - 1 && o->worst[at].probe && o->worst[at].similarity >= f->similarity)
        return;
    for (; at > 0 && o->worst[at - 1].similarity < f->similarity; at--)
        o->worst[at] = o->worst[at - 1];
    o->worst[at] = (struct confusion){f->similarity, probe, nearest_template(o, probe, f->person)};
}

static void probe(struct open_set *o, struct decider *d, const struct portrait *p, int64_t person)
{
    struct arena arena = {0}, *arenas = &arena;
    struct face f = face_of(o, p), *faces = &f;
    struct attempt out = {.distance = INFINITY, .known = person != 0};
    double nearest = INFINITY;

    decider_decide(d, &o->model, &faces, &arenas, 1);
    for (int i = 0; i < f.candidate_count; i++)
        if (f.candidates[i].distance < nearest) {
            nearest = f.candidates[i].distance;
            out.distance = !person || f.candidates[i].person == person ? nearest : INFINITY;
        }
    out.named = f.person != PERSON_UNKNOWN;
    out.right = out.named && f.person == person;
    if (out.named && !out.right)
        remember_confusion(o, p, &f);
    if (o->count == o->capacity) {
        o->capacity = o->capacity ? o->capacity * 2 : 1024;
        o->outcomes = realloc(o->outcomes, (size_t)o->capacity * sizeof *o->outcomes);
        if (!o->outcomes)
            out_of_memory();
    }
    o->outcomes[o->count++] = out;
    arena_free(&arena);
}

static void run_once(struct open_set *o, int size, uint64_t *random)
{
    struct decider *d = decider_new(&o->policy);
    int unknown_people = o->group_count - size, half = size + unknown_people / 2;
    int64_t id = 1;
    bool threshold_lowered;

    deal(o, random);
    enroll(o, d, size);
    for (int g = 0; g < half; g++)
        for (int k = g < size ? ENROLLED : 0; k < o->groups[g].count; k += g < size ? 2 : 1)
            meet(o, d, o->groups[g].photos[k], id++);
    while (decider_refresh(d, &o->model, &threshold_lowered))
        ;
    for (int g = 0; g < size; g++)
        for (int k = ENROLLED + 1; k < o->groups[g].count; k += 2)
            probe(o, d, o->groups[g].photos[k], g + 1);
    for (int g = half; g < o->group_count; g++)
        probe(o, d, o->groups[g].photos[0], 0);
    o->state = decider_state(d);
    decider_free(d);
}

/* --- figures --- */

struct figures {
    int unknown_people, known;
    double named, missed, wrong; /* shares: of impostors, of known, of known */
    double fixed, fixed_missed;  /* the threshold that names as many impostors, and what it misses */
};

static int nearer_first(const void *a, const void *b)
{
    const struct attempt *x = a, *y = b;

    return x->distance < y->distance ? -1 : x->distance > y->distance;
}

/* The largest threshold that names no larger share of the impostors; the list is sorted. */
static double threshold_for(const struct open_set *o, int unknown_people, double share, int known, double *missed)
{
    int allowed = (int)floor(share * unknown_people + 1e-9), seen = 0, found = 0;
    double threshold = 0;

    for (int i = 0; i < o->count; i++) {
        if (!o->outcomes[i].known && seen++ == allowed)
            break;
        found += o->outcomes[i].known && isfinite(o->outcomes[i].distance);
        if (isfinite(o->outcomes[i].distance))
            threshold = o->outcomes[i].distance;
    }
    *missed = known ? 1 - (double)found / known : 0;
    return threshold;
}

static struct figures figures_of(struct open_set *o)
{
    struct figures f = {0};
    int named = 0, missed = 0, wrong = 0;

    for (int i = 0; i < o->count; i++) {
        const struct attempt *out = &o->outcomes[i];

        f.known += out->known;
        f.unknown_people += !out->known;
        named += !out->known && out->named;
        missed += out->known && !out->right;
        wrong += out->known && out->named && !out->right;
    }
    f.named = f.unknown_people ? (double)named / f.unknown_people : 0;
    f.missed = f.known ? (double)missed / f.known : 0;
    f.wrong = f.known ? (double)wrong / f.known : 0;
    if (o->count)
        qsort(o->outcomes, (size_t)o->count, sizeof *o->outcomes, nearer_first);
    f.fixed = threshold_for(o, f.unknown_people, f.named, f.known, &f.fixed_missed);
    return f;
}

static void print_size(struct open_set *o, int size, const struct figures *f, bool first)
{
    if (o->e->json) {
        buf_printf(&o->e->out,
                   "%s{\"people\":%d,\"impostors\":%d,\"known\":%d,\"impostors_named\":%.5f,\"known_missed\":%.5f,"
                   "\"named_wrongly\":%.5f,\"fixed_threshold\":%.4f,\"fixed_known_missed\":%.5f,\"cohort\":%d,"
                   "\"by_score\":%s}",
                   first ? "" : ",", size, f->unknown_people, f->known, f->named, f->missed, f->wrong, f->fixed,
                   f->fixed_missed, o->state.cohort, o->state.calibrated ? "true" : "false");
        return;
    }
    if (first)
        printf(
            "\nWho is it, or nobody we know? Two photos enrolled of each.\n"
            "  gallery   impostors   known     named wrongly   rule             a fixed threshold that names as few\n"
            "  people    named       missed    of the known    in force         of the impostors misses\n");
    printf("  %-7d   %6.2f %%    %6.2f %%  %6.2f %%        %-8s %4d    %6.2f %%   (at %.3f)\n", size, 100 * f->named,
           100 * f->missed, 100 * f->wrong, o->state.calibrated ? "cohort" : "fallback", o->state.cohort,
           100 * f->fixed_missed, f->fixed);
}

static void print_thresholds(struct open_set *o, int size, const struct figures *f)
{
    static const double rates[] = {0.05, 0.02, 0.01, 0.005, 0.002};
    struct evaluation *e = o->e;

    if (e->json)
        buf_printf(&e->out, "],\"thresholds\":{\"people\":%d,\"list\":[", size);
    else
        printf("\n  Fixed thresholds, for %d people:\n  impostors named   known missed   KITH_THRESHOLD\n", size);
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        double missed, t = threshold_for(o, f->unknown_people, rates[i], f->known, &missed);

        if (e->json)
            buf_printf(&e->out, "%s{\"impostors_named\":%g,\"known_missed\":%.5f,\"threshold\":%.4f}", i ? "," : "",
                       rates[i], missed, t);
        else
            printf("  %10.1f %%   %11.2f %%   %.3f\n", 100 * rates[i], 100 * missed, t);
    }
    if (e->json)
        buf_str(&e->out, "]},\"confusions\":[");
}

static void print_confusions(struct open_set *o)
{
    struct evaluation *e = o->e;

    if (!e->json && o->confusions)
        printf("\n  The worst confusions:\n");
    for (int i = 0; i < o->confusions; i++) {
        const struct confusion *c = &o->worst[i];

        if (e->json) {
            buf_str(&e->out, i ? ",{\"photo\":" : "{\"photo\":");
            buf_json(&e->out, c->probe->path);
            buf_str(&e->out, ",\"taken_for\":");
            buf_json(&e->out, c->taken_for->path);
            buf_printf(&e->out, ",\"similarity\":%.4f}", c->similarity);
        } else {
            printf("    %.3f  %s/%s taken for %s/%s\n", c->similarity, c->probe->person, c->probe->photo,
                   c->taken_for->person, c->taken_for->photo);
        }
    }
    if (e->json)
        buf_str(&e->out, "]}");
}

static int parse_sizes(const char *text, int *sizes)
{
    int count = 0;

    for (const char *at = text; *at && count < SIZES_MAX;) {
        char *end;
        long n = strtol(at, &end, 10);

        if (end == at || n < 1 || n > 1000000 || (*end && *end != ','))
            return -EINVAL;
        sizes[count++] = (int)n;
        at = *end ? end + 1 : end;
    }
    return count;
}

static void measure_sizes(struct open_set *o, const int *sizes, int count, int64_t repeats)
{
    struct figures f = {0};
    int last = 0;

    if (o->e->json)
        buf_str(&o->e->out, ",\"identification\":{\"galleries\":[");
    for (int i = 0; i < count; i++) {
        uint64_t random = (uint64_t)sizes[i];

        if (sizes[i] > o->enrollable || o->group_count - sizes[i] < 2) {
            fprintf(stderr, "kith: no gallery of %d: %d people have more than %d photos with a face, of %d\n", sizes[i],
                    o->enrollable, ENROLLED, o->group_count);
            continue;
        }
        o->count = o->confusions = 0;
        memset(o->worst, 0, sizeof o->worst);
        for (int64_t r = 0; r < repeats; r++)
            run_once(o, sizes[i], &random);
        f = figures_of(o);
        print_size(o, sizes[i], &f, last == 0);
        last = sizes[i];
    }
    if (last) {
        print_thresholds(o, last, &f);
        print_confusions(o);
    } else if (o->e->json) {
        buf_str(&o->e->out, "]}");
    }
}

int eval_open_set(struct evaluation *e, const char *text, int64_t repeats)
{
    const struct settings *s = e->in->settings;
    struct open_set o = {.e = e,
                         .policy = {.threshold = s->threshold,
                                    .rate = s->fpir,
                                    .candidates = (int)s->candidates,
                                    .cohort = (int)s->cohort,
                                    .unknown_people = (int)s->unknown_faces,
                                    .memory_max = SIZE_MAX},
                         .model = {.id = e->all.model.model,
                                   .metric = e->all.model.metric,
                                   .dimension = (int)e->all.model.dimension,
                                   .threshold = e->all.model.threshold}};
    int sizes[SIZES_MAX], count = parse_sizes(text, sizes);
    uint64_t random = 0;

    if (count <= 0)
        return cli_refuse("--sizes=%s: numbers of people with commas between", text);
    group_faces(&o);
    deal(&o, &random);
    measure_sizes(&o, sizes, count, repeats);
    free(o.groups);
    free(o.outcomes);
    return 0;
}
