/* The gallery: an exact search among made-up people at several sizes, and whole decisions with a cohort. */
#include "cli/bench/bench.h"
#include "cli/eval/eval_common.h"
#include "core/match/policy.h"
#include "core/match/template_set.h"
#include "plugins/recognizer.h"

#include <math.h>
#include <stdlib.h>

enum { DIMENSION = 128, VIEWS = 2, TOP = 5, BATCH = 64, PROBES = 512, PEOPLE = 1000, UNKNOWN_PEOPLE = 1500 };

static double normal(uint64_t *state) /* Box and Muller 1958 */
{
    double u = ((double)(eval_random(state) >> 11) + 1) * 0x1p-53, v = (double)(eval_random(state) >> 11) * 0x1p-53;

    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

/* The distances are those of face embeddings: 0.4 between two views, 0.8 between people; as with those, numbers spread
 * less and less. `person`: the same number gives the same person; `view`: 0 is the mean embedding of the person.
 */
static void look(uint64_t person, uint64_t view, float out[DIMENSION])
{
    uint64_t who = person * 0x9e3779b97f4a7c15u, how = (person << 20) + view;
    double sum = 0;

    for (int d = 0; d < DIMENSION; d++)
        sum += 1 / (1 + d * 0.25);
    for (int d = 0; d < DIMENSION; d++) {
        double spread = sqrt(1 / (1 + d * 0.25) / sum);

        out[d] = (float)(spread * (0.57 * normal(&who) + (view ? 0.28 * normal(&how) : 0)));
    }
}

static double search_ms(struct template_set *s, int batch, size_t people, double limit_ms)
{
    float probes[BATCH][DIMENSION];
    const float *from[BATCH];
    struct hit hits[BATCH][TOP], *lists[BATCH];
    int found[BATCH], done = 0;
    double took = 0;

    for (int at = 0; at < PROBES && took < limit_ms; at += batch) {
        double begun;

        for (int i = 0; i < batch; i++) {
            look((uint64_t)(at + i) * 7919 % (2 * people), VIEWS + 1, probes[i]); /* half of them are impostors */
            from[i] = probes[i];
            lists[i] = hits[i];
        }
        begun = bench_now_ms();
        template_set_search(s, KITH_METRIC_L2, from, batch, lists, found, TOP);
        took += bench_now_ms() - begun;
        done += batch;
    }
    return took / done;
}

static void measure_search(struct bench *b, size_t templates, bool first)
{
    const struct settings *settings = b->in->settings;
    struct template_set *s = template_set_new("bench", DIMENSION, settings->data, (size_t)settings->gallery_memory);
    double one, many, load = bench_now_ms();
    float row[DIMENSION];

    for (size_t i = 0; i < templates; i++) {
        look(i / VIEWS, i % VIEWS + 1, row);
        template_set_add(s, (int64_t)i + 1, (int64_t)(i / VIEWS) + 1, row);
    }
    search_ms(s, 1, templates / VIEWS, 0.001); /* the first one makes the codes */
    load = bench_now_ms() - load;
    one = search_ms(s, 1, templates / VIEWS, (double)b->seconds * 1000);
    many = search_ms(s, BATCH, templates / VIEWS, (double)b->seconds * 1000);
    bench_say(b, "  %9zu  %16.3f  %16.3f  %12.1f  %12.1f\n", templates, one, many, (double)template_set_memory(s) / 1e6,
              load / 1000);
    buf_printf(&b->out, "%s{\"templates\":%zu,\"one_ms\":%.4f,\"of_64_ms\":%.4f,\"bytes\":%zu,\"load_s\":%.2f}",
               first ? "" : ",", templates, one, many, template_set_memory(s), load / 1000);
    template_set_free(s);
}

/* Faces of known people and of impostors, decided in batches as the gallery does. */
static void measure_decisions(struct bench *b)
{
    const struct settings *s = b->in->settings;
    const struct decider_policy policy = {.threshold = -1,
                                          .rate = s->fpir,
                                          .candidates = (int)s->candidates,
                                          .cohort = (int)s->cohort,
                                          .unknown_people = (int)s->unknown_faces,
                                          .folder = s->data,
                                          .memory_max = (size_t)s->gallery_memory};
    const struct decider_model model = {
        .id = "bench", .metric = KITH_METRIC_L2, .dimension = DIMENSION, .threshold = 0.6};
    struct decider *d = decider_new(&policy);
    float rows[BATCH][DIMENSION];
    struct face list[BATCH], *faces[BATCH];
    struct arena arenas[BATCH] = {{0}}, *each[BATCH];
    double begun, refresh, took = 0;
    bool threshold_lowered;
    int done = 0;

    for (int i = 0; i < PEOPLE * VIEWS; i++) {
        look((uint64_t)(i / VIEWS), (uint64_t)(i % VIEWS) + 1, rows[0]);
        gallery_index_add(
            decider_index(d), INDEX_TEMPLATES,
            &(struct template){
                .id = i + 1, .person = i / VIEWS + 1, .model = model.id, .embedding = rows[0], .dimension = DIMENSION});
    }
    for (int i = 0; i < UNKNOWN_PEOPLE; i++) {
        look((uint64_t)(PEOPLE + i), 1, rows[0]);
        decider_assign_unknown(d, &model, i + 1, 0, rows[0]);
    }
    begun = bench_now_ms();
    while (decider_refresh(d, &model, &threshold_lowered))
        ;
    refresh = bench_now_ms() - begun;
    for (; took < (double)b->seconds * 200; done += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            look((uint64_t)(done + i) * 31 % (2 * PEOPLE), VIEWS + 1, rows[i]);
            list[i] = (struct face){.model = model.id,
                                    .embedding = rows[i],
                                    .dimension = DIMENSION,
                                    .quality = 1,
                                    .person = PERSON_UNKNOWN};
            faces[i] = &list[i];
            each[i] = &arenas[i];
        }
        begun = bench_now_ms();
        decider_decide(d, &model, faces, each, BATCH);
        took += bench_now_ms() - begun;
        for (int i = 0; i < BATCH; i++) {
            arena_free(&arenas[i]);
            arenas[i] = (struct arena){0};
        }
    }
    bench_say(b, "\na decision with a cohort, %d people: %.3f ms; to calibrate it anew: %.2f s, in slices\n\n", PEOPLE,
              took / done, refresh / 1000);
    buf_printf(&b->out, ",\"decision\":{\"people\":%d,\"ms\":%.4f,\"calibration_s\":%.3f}", PEOPLE, took / done,
               refresh / 1000);
    decider_free(d);
}

int bench_search(struct bench *b)
{
    static const size_t sizes[] = {1000, 10000, 100000, 1000000};
    const char *most = cli_flag(b->in, "templates");
    int64_t limit = most ? strtoll(most, NULL, 10) : 100000;
    bool first = true;

    if (limit < 1000)
        return cli_refuse("--templates=%s: must be 1000 or more", most);
    bench_say(b, "exact search, the %d nearest people by %d numbers, one thread\n\n  %9s  %16s  %16s  %12s  %12s\n",
              TOP, DIMENSION, "templates", "ms for one face", "ms, 64 at once", "memory, MB", "to load, s");
    buf_str(&b->out, ",\"search\":[");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && (int64_t)sizes[i] <= limit; i++, first = false)
        measure_search(b, sizes[i], first);
    buf_str(&b->out, "]");
    measure_decisions(b);
    return 0;
}
