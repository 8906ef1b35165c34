/* Open-set identification: some people are enrolled with some photos each, the others are impostors. What counts is how
 * many impostors get a name (false positive identification rate) and how many of the known do not get theirs (false
 * negative identification rate; ISO/IEC 19795-1), for galleries of several sizes.
 *
 * It goes as in a service: first half of the impostors, and half of the other photos of those enrolled, are met and
 * decided; those who got no name are remembered as unknown. Then decisions are calibrated with what was seen, and the
 * other halves are measured. Beside it stands the best that a fixed threshold could do: the one that names as many
 * impostors, chosen afterwards by the result.
 */
#include "cli/eval/eval_open_internal.h"

#include "core/base/must.h"
#include "core/match/search/distance.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES_MAX = 16 };

static void open_set_gather_people(struct open_set *o)
{
    struct evaluation *e = o->e;

    o->people = calloc((size_t)e->count + 1, sizeof *o->people);
    if (!o->people)
        out_of_memory();
    for (int i = 0, from = 0; i < e->count; i++)
        if (i + 1 == e->count || strcmp(e->faces[i]->person, e->faces[i + 1]->person) != 0) {
            o->people[o->people_count++] = (struct person_photos){&e->faces[from], i + 1 - from};
            from = i + 1;
        }
}

static void open_set_shuffle(struct person_photos *list, int count, uint64_t *random)
{
    for (int i = count; i > 1; i--) {
        int j = (int)(eval_random(random) % (uint64_t)i);
        struct person_photos swap = list[i - 1];

        list[i - 1] = list[j];
        list[j] = swap;
    }
}

/* Those who can be enrolled first, in random order; then everybody else, and those of them that are too many. */
static void open_set_deal(struct open_set *o, uint64_t *random)
{
    int ahead = 0;

    open_set_shuffle(o->people, o->people_count, random);
    for (int i = 0; i < o->people_count; i++)
        if (o->people[i].count > o->options.enrolled) {
            struct person_photos swap = o->people[ahead];

            o->people[ahead++] = o->people[i];
            o->people[i] = swap;
        }
    o->enrollable = ahead;
}

static struct face open_set_face(const struct open_set *o, const struct portrait *p)
{
    return (struct face){
        .model = o->model.id, .embedding = p->embedding, .dimension = o->model.dimension, .quality = p->quality};
}

static void open_set_enroll(struct open_set *o, struct decider *d, int size)
{
    for (int g = 0; g < size; g++)
        for (int k = 0; k < o->options.enrolled; k++)
            gallery_index_add(decider_index(d), INDEX_TEMPLATES,
                              &(struct template){.id = g * o->options.enrolled + k + 1,
                                                 .person = g + 1,
                                                 .model = o->model.id,
                                                 .embedding = o->people[g].photos[k]->embedding,
                                                 .dimension = o->model.dimension});
}

static void open_set_meet(struct open_set *o, struct decider *d, const struct portrait *p, int64_t id)
{
    struct arena arena = {0}, *arenas = &arena;
    struct face f = open_set_face(o, p), *faces = &f;

    decider_decide(d, &o->model, &faces, &arenas, 1);
    if (f.person == PERSON_UNKNOWN)
        decider_assign_unknown(d, &o->model, id, 0, p->embedding);
    arena_free(&arena);
}

static const struct portrait *open_set_nearest_template(const struct open_set *o, const struct portrait *probe,
                                                        int64_t person)
{
    const struct person_photos *g = &o->people[person - 1];
    const struct portrait *best = g->photos[0];

    for (int k = 1; k < o->options.enrolled; k++)
        if (embedding_distance(o->model.metric, probe->embedding, g->photos[k]->embedding, o->model.dimension) <
            embedding_distance(o->model.metric, probe->embedding, best->embedding, o->model.dimension))
            best = g->photos[k];
    return best;
}

static void open_set_remember_confusion(struct open_set *o, const struct portrait *probe, const struct face *f)
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
    o->worst[at] = (struct confusion){f->similarity, probe, open_set_nearest_template(o, probe, f->person)};
}

static void open_set_probe(struct open_set *o, struct decider *d, const struct portrait *p, int64_t person)
{
    struct arena arena = {0}, *arenas = &arena;
    struct face f = open_set_face(o, p), *faces = &f;
    struct attempt out = {
        .distance = INFINITY, .group = face_groups_nearest(o->groups, p->embedding), .known = person != 0};
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
        open_set_remember_confusion(o, p, &f);
    if (o->count == o->capacity) {
        o->capacity = o->capacity ? o->capacity * 2 : 1024;
        o->outcomes = realloc(o->outcomes, (size_t)o->capacity * sizeof *o->outcomes);
        if (!o->outcomes)
            out_of_memory();
    }
    o->outcomes[o->count++] = out;
    arena_free(&arena);
}

static void open_set_run(struct open_set *o, int size, uint64_t *random)
{
    struct decider *d = decider_new(&o->policy);
    int unknown_people = o->people_count - size, half = size + unknown_people / 2;
    int64_t id = 1;
    bool threshold_lowered;

    open_set_deal(o, random);
    open_set_enroll(o, d, size);
    for (int g = 0; g < half; g++)
        for (int k = g < size ? o->options.enrolled : 0; k < o->people[g].count; k += g < size ? 2 : 1)
            open_set_meet(o, d, o->people[g].photos[k], id++);
    while (decider_refresh(d, &o->model, &threshold_lowered))
        ;
    for (int g = 0; g < size; g++)
        for (int k = o->options.enrolled + 1; k < o->people[g].count; k += 2)
            open_set_probe(o, d, o->people[g].photos[k], g + 1);
    for (int g = half; g < o->people_count; g++)
        open_set_probe(o, d, o->people[g].photos[0], 0);
    o->state = decider_state(d);
    decider_free(d);
}

static int open_set_parse_sizes(const char *text, int *sizes)
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

/* The groups are those of one face of each person; the order of the people decides nothing. */
static void open_set_group_faces(struct open_set *o)
{
    const float **faces = must(calloc((size_t)o->people_count + 1, sizeof *faces));
    double *nearest;

    for (int i = 0; i < o->people_count; i++)
        faces[i] = o->people[i].photos[0]->embedding;
    o->groups = face_groups_new(o->model.metric, o->model.dimension, faces, o->people_count, o->options.groups);
    o->group_examples = must(calloc((size_t)face_groups_count(o->groups), sizeof *o->group_examples));
    nearest = must(calloc((size_t)face_groups_count(o->groups), sizeof *nearest));
    for (int i = 0; i < o->people_count; i++) {
        int g = face_groups_nearest(o->groups, faces[i]);
        double d = embedding_distance(o->model.metric, faces[i], face_groups_center(o->groups, g), o->model.dimension);

        if (!o->group_examples[g] || d < nearest[g]) {
            o->group_examples[g] = o->people[i].photos[0];
            nearest[g] = d;
        }
    }
    free(nearest);
    free(faces);
}

static void open_set_measure_sizes(struct open_set *o, const int *sizes, int count)
{
    struct figures f = {0};
    int last = 0;

    if (o->e->json)
        buf_str(&o->e->out, ",\"identification\":{\"galleries\":[");
    for (int i = 0; i < count; i++) {
        uint64_t random = (uint64_t)sizes[i];

        if (sizes[i] > o->enrollable || o->people_count - sizes[i] < 2) {
            fprintf(stderr, "kith: no gallery of %d: %d people have more than %d photos with a face, of %d\n", sizes[i],
                    o->enrollable, o->options.enrolled, o->people_count);
            continue;
        }
        o->count = o->confusions = 0;
        memset(o->worst, 0, sizeof o->worst);
        for (int r = 0; r < o->options.repeats; r++)
            open_set_run(o, sizes[i], &random);
        f = open_set_figures(o);
        open_set_print_size(o, sizes[i], &f, last == 0);
        last = sizes[i];
    }
    if (last)
        open_set_print_end(o, last, &f);
    else if (o->e->json)
        buf_str(&o->e->out, "]}");
}

int eval_open_set(struct evaluation *e, const struct open_set_options *options)
{
    const struct settings *s = e->in->settings;
    struct open_set o = {.e = e,
                         .options = *options,
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
    int sizes[SIZES_MAX], count = open_set_parse_sizes(options->sizes, sizes);
    uint64_t random = 0;

    if (count <= 0)
        return cli_refuse("--sizes=%s: numbers of people with commas between", options->sizes);
    open_set_gather_people(&o);
    open_set_group_faces(&o);
    open_set_deal(&o, &random);
    open_set_measure_sizes(&o, sizes, count);
    face_groups_free(o.groups);
    free(o.group_examples);
    free(o.people);
    free(o.outcomes);
    return 0;
}
