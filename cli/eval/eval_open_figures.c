/* Counts the attempts of an open-set evaluation. */
#include "cli/eval/eval_open_internal.h"

#include <math.h>
#include <stdlib.h>

bool open_set_rate_is_asked(const struct open_set *o)
{
    return o->policy.threshold < 0 && o->policy.rate > 0;
}

static double counts_share(int part, int all)
{
    return all ? (double)part / all : 0;
}

double counts_fpir(const struct counts *t)
{
    return counts_share(t->impostors_named, t->impostors);
}

double counts_fnir(const struct counts *t)
{
    return counts_share(t->known_missed, t->known);
}

int counts_wrong(const struct counts *t)
{
    return t->impostors_named + t->known_wrong;
}

int counts_names(const struct counts *t)
{
    return t->known - t->known_missed + counts_wrong(t);
}

double counts_wrong_share(const struct counts *t)
{
    return counts_share(counts_wrong(t), counts_names(t));
}

struct counts open_set_count(const struct open_set *o, int group)
{
    struct counts t = {0};

    for (int i = 0; i < o->count; i++) {
        const struct attempt *one = &o->outcomes[i];

        if (group >= 0 && one->group != group)
            continue;
        t.known += one->known;
        t.impostors += !one->known;
        t.impostors_named += !one->known && one->named;
        t.known_missed += one->known && !one->right;
        t.known_wrong += one->known && one->named && !one->right;
    }
    return t;
}

static int attempt_compare(const void *a, const void *b)
{
    const struct attempt *x = a, *y = b;

    return x->distance < y->distance ? -1 : x->distance > y->distance;
}

double open_set_fixed_threshold(const struct open_set *o, const struct counts *all, double share, double *missed)
{
    int allowed = (int)floor(share * all->impostors + 1e-9), seen = 0, found = 0;
    double threshold = 0;

    for (int i = 0; i < o->count; i++) {
        if (!o->outcomes[i].known && seen++ == allowed)
            break;
        found += o->outcomes[i].known && isfinite(o->outcomes[i].distance);
        if (isfinite(o->outcomes[i].distance))
            threshold = o->outcomes[i].distance;
    }
    *missed = all->known ? 1 - (double)found / all->known : 0;
    return threshold;
}

struct figures open_set_figures(struct open_set *o)
{
    struct figures f = {.all = open_set_count(o, -1)};

    if (o->count)
        qsort(o->outcomes, (size_t)o->count, sizeof *o->outcomes, attempt_compare);
    f.fixed = open_set_fixed_threshold(o, &f.all, counts_fpir(&f.all), &f.fixed_missed);
    return f;
}
