/* Verification: pairs of photos of the same person and of different ones. Distances are compared with a threshold:
 * FMR, the share of different pairs below it; FNMR, of same pairs above it (ISO/IEC 19795-1). The accuracy is LFW's:
 * ten folds, the threshold of each chosen on the other nine (Huang et al. 2007). */
#include "cli/eval/eval_pairs.h"

#include "core/base/must.h"
#include "core/match/search/distance.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDS = 10, LINE_MAX_BYTES = 1024 };

struct pair {
    float distance;
    bool same;
    int fold;
};

struct pairs {
    struct pair *list;
    int count, capacity, missing; /* missing: of photos without a face, or that are not there */
    int same;
};

static float distance(const struct evaluation *e, const struct portrait *a, const struct portrait *b)
{
    return (float)embedding_distance(e->all.model.metric, a->embedding, b->embedding, (int)e->all.model.dimension);
}

static void add(struct pairs *p, float d, bool same, int fold)
{
    if (p->count == p->capacity) {
        p->capacity = p->capacity ? p->capacity * 2 : 1024;
        p->list = realloc(p->list, (size_t)p->capacity * sizeof *p->list);
        if (!p->list)
            out_of_memory();
    }
    p->list[p->count++] = (struct pair){d, same, fold};
    p->same += same;
}

/* LFW's names: NAME/NAME_0001.jpg, whatever the extension. */
static const struct portrait *photo_of(const struct evaluation *e, const char *person, int number)
{
    char stem[LINE_MAX_BYTES + 16];
    size_t n = (size_t)snprintf(stem, sizeof stem, "%s_%04d.", person, number);

    for (int i = 0; i < e->count; i++)
        if (strcmp(e->faces[i]->person, person) == 0 && strncmp(e->faces[i]->photo, stem, n) == 0)
            return e->faces[i];
    return NULL;
}

static int read_line(struct evaluation *e, char *line, struct pairs *p, int at, int per_fold)
{
    char first[LINE_MAX_BYTES], second[LINE_MAX_BYTES];
    const struct portrait *a, *b;
    bool same = true;
    int x, y;

    if (sscanf(line, "%1023s %d %d", first, &x, &y) == 3) {
        a = photo_of(e, first, x);
        b = photo_of(e, first, y);
    } else if (sscanf(line, "%1023s %d %1023s %d", first, &x, second, &y) == 4) {
        same = false;
        a = photo_of(e, first, x);
        b = photo_of(e, second, y);
    } else {
        return -EINVAL;
    }
    if (a && b)
        add(p, distance(e, a, b), same, per_fold ? at / per_fold % FOLDS : at % FOLDS);
    else
        p->missing++;
    return 0;
}

static int read_pairs(struct evaluation *e, const char *file, struct pairs *p)
{
    FILE *in = fopen(file, "re");
    char line[LINE_MAX_BYTES];
    int number = 0, at = 0, folds = 0, each = 0, code = 0;

    if (!in)
        return cli_refuse("--pairs=%s: %s", file, strerror(errno));
    while (code == 0 && fgets(line, sizeof line, in)) {
        number++;
        if (number == 1 && sscanf(line, "%d %d", &folds, &each) >= 1)
            continue;
        if (line[strspn(line, " \t\r\n")] && read_line(e, line, p, at++, 2 * each) < 0)
            code = cli_refuse("--pairs=%s: line %d is no pair: “NAME 1 2” or “NAME 1 OTHER 2”", file, number);
    }
    fclose(in);
    return code;
}

/* Without a file: all pairs of the same people, as many of different ones, people apart in their folds. */
static void make_pairs(struct evaluation *e, struct pairs *p)
{
    enum { SAME_MAX = 6000 };
    uint64_t random = 1;
    int same = 0;

    for (int i = 0; i < e->count && same < SAME_MAX; i++)
        for (int j = i + 1; j < e->count && strcmp(e->faces[i]->person, e->faces[j]->person) == 0; j++)
            add(p, distance(e, e->faces[i], e->faces[j]), true, same++ % FOLDS);
    for (int k = 0, tries = 0; k < same && tries < 100 * same; tries++) {
        const struct portrait *a = e->faces[eval_random(&random) % (uint64_t)e->count];
        const struct portrait *b = e->faces[eval_random(&random) % (uint64_t)e->count];

        if (strcmp(a->person, b->person) != 0)
            add(p, distance(e, a, b), false, k++ % FOLDS);
    }
}

static int nearer_first(const void *a, const void *b)
{
    float d = ((const struct pair *)a)->distance - ((const struct pair *)b)->distance;

    return d < 0 ? -1 : d > 0;
}

/* The threshold with the most right answers outside a fold; the list is sorted. */
static float best_threshold(const struct pairs *p, int without)
{
    int right = 0, most;
    float best = 0;

    for (int i = 0; i < p->count; i++)
        right += p->list[i].fold != without && !p->list[i].same;
    most = right;
    for (int i = 0; i < p->count; i++) {
        if (p->list[i].fold == without)
            continue;
        right += p->list[i].same ? 1 : -1;
        if (right > most) {
            most = right;
            best = i + 1 < p->count ? (p->list[i].distance + p->list[i + 1].distance) / 2 : p->list[i].distance;
        }
    }
    return best;
}

static void print_accuracy(struct evaluation *e, struct pairs *p)
{
    double sum = 0, squares = 0, thresholds = 0;
    int folds = 0;

    qsort(p->list, (size_t)p->count, sizeof *p->list, nearer_first);
    for (int f = 0; f < FOLDS; f++) {
        float t = best_threshold(p, f);
        int right = 0, all = 0;

        for (int i = 0; i < p->count; i++)
            if (p->list[i].fold == f) {
                all++;
                right += (p->list[i].distance <= t) == p->list[i].same;
            }
        if (!all)
            continue;
        folds++;
        sum += (double)right / all;
        squares += (double)right / all * right / all;
        thresholds += (double)t;
    }
    sum /= folds;
    if (e->json)
        buf_printf(&e->out,
                   ",\"verification\":{\"same\":%d,\"different\":%d,\"missing\":%d,\"accuracy\":%.5f,"
                   "\"deviation\":%.5f,\"threshold\":%.4f",
                   p->same, p->count - p->same, p->missing, sum, sqrt(fmax(0, squares / folds - sum * sum)),
                   thresholds / folds);
    else
        printf("\nThe same person? %d pairs of the same, %d of different people%s\n"
               "  accuracy %.2f %% ± %.2f at a distance of %.3f, over %d folds\n",
               p->same, p->count - p->same, p->missing ? " (others have no face)" : "", 100 * sum,
               100 * sqrt(fmax(0, squares / folds - sum * sum)), thresholds / folds, folds);
}

static int ascending(const void *a, const void *b)
{
    float d = *(const float *)a - *(const float *)b;

    return d < 0 ? -1 : d > 0;
}

static size_t below(const float *sorted, size_t count, float t)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (sorted[middle] <= t)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether quality says what it shall: of the pairs of the same, the share missed at a threshold, by the worse of the
 * two qualities. */
static void print_qualities(struct evaluation *e, float threshold, double rate)
{
    static const float edges[] = {0, 0.3f, 0.5f, 0.7f, 0.9f, 1.01f};
    enum { BINS = sizeof edges / sizeof edges[0] - 1 };
    int pairs[BINS] = {0}, missed[BINS] = {0}, shown = 0;

    for (int i = 0; i < e->count; i++)
        for (int j = i + 1; j < e->count && strcmp(e->faces[i]->person, e->faces[j]->person) == 0; j++) {
            float q = fminf(e->faces[i]->quality, e->faces[j]->quality);
            int bin = BINS - 1;

            while (bin > 0 && q < edges[bin])
                bin--;
            pairs[bin]++;
            missed[bin] += distance(e, e->faces[i], e->faces[j]) > threshold;
        }
    if (e->json)
        buf_printf(&e->out, "],\"qualities\":{\"threshold\":%.4f,\"fmr\":%g,\"list\":[", (double)threshold, rate);
    else
        printf("\n  by quality, at %.3f (%g %% false matches)\n", (double)threshold, 100 * rate);
    for (int b = 0; b < BINS; b++) {
        double share = pairs[b] ? (double)missed[b] / pairs[b] : 0;

        if (e->json)
            buf_printf(&e->out, "%s{\"from\":%g,\"pairs\":%d,\"fnmr\":%.5f}", shown++ ? "," : "", (double)edges[b],
                       pairs[b], share);
        else if (pairs[b])
            printf("  %.1f to %.1f   %8d pairs   %13.2f %% false non-matches\n", (double)edges[b],
                   fmin((double)edges[b + 1], 1), pairs[b], 100 * share);
    }
    if (e->json)
        buf_str(&e->out, "]}");
}

/* Over all pairs that the photos give, or of so many as can be compared in some seconds. */
static void print_rates(struct evaluation *e)
{
    size_t most = (size_t)(3e9 / (double)e->all.model.dimension), n = (size_t)e->count, pairs = n * (n - 1) / 2;
    size_t step = pairs / most + 1, room = pairs / step + (size_t)e->all.count * 4 + 64, same = 0, other = 0, at = 0;
    float *genuine = malloc(room * sizeof *genuine), *impostor = malloc(room * sizeof *impostor);
    double told = 0; /* the rate whose threshold is looked at by quality: a tenth of a percent, or what comes near */
    float at_told = 0;
    bool first = true;

    if (!genuine || !impostor)
        out_of_memory();
    for (int i = 0; i < e->count; i++)
        for (int j = i + 1; j < e->count; j++) {
            bool is_same = strcmp(e->faces[i]->person, e->faces[j]->person) == 0;

            if (is_same && same < room)
                genuine[same++] = distance(e, e->faces[i], e->faces[j]);
            else if (at++ % step == 0 && other < room)
                impostor[other++] = distance(e, e->faces[i], e->faces[j]);
        }
    qsort(genuine, same, sizeof *genuine, ascending);
    qsort(impostor, other, sizeof *impostor, ascending);
    if (e->json)
        buf_printf(&e->out, ",\"rates\":[");
    else
        printf("\n  false matches   threshold   false non-matches   (%zu same, %zu different pairs)\n", same, other);
    for (double rate = 0.1; other && same && rate * (double)other >= 1; rate /= 10, first = false) {
        float t = impostor[(size_t)(rate * (double)other) - 1];
        double missed = 1 - (double)below(genuine, same, t) / (double)same;

        if (rate > 0.0009) {
            told = rate;
            at_told = t;
        }
        if (e->json)
            buf_printf(&e->out, "%s{\"fmr\":%g,\"threshold\":%.4f,\"fnmr\":%.5f}", first ? "" : ",", rate, (double)t,
                       missed);
        else
            printf("  %10.4f %%   %9.3f   %13.2f %%\n", 100 * rate, (double)t, 100 * missed);
    }
    if (told > 0)
        print_qualities(e, at_told, told);
    else if (e->json)
        buf_str(&e->out, "]");
    if (e->json)
        buf_str(&e->out, "}");
    free(genuine);
    free(impostor);
}

int eval_pairs(struct evaluation *e, const char *file)
{
    struct pairs p = {0};
    int code = 0;

    if (file)
        code = read_pairs(e, file, &p);
    else
        make_pairs(e, &p);
    if (code == 0 && p.same > 0 && p.same < p.count) {
        print_accuracy(e, &p);
        print_rates(e);
    } else if (code == 0) {
        fprintf(stderr, "kith: no verification: it takes two photos of one person and photos of two people\n");
    }
    free(p.list);
    return code;
}
