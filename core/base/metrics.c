#include "core/base/metrics.h"

#include <string.h>

static struct metric *metrics;
static struct histogram *histograms;

void metric_register(struct metric *m)
{
    struct metric **at = &metrics, **after = NULL;

    for (; *at; at = &(*at)->next) {
        if (*at == m)
            return;
        if (strcmp((*at)->name, m->name) == 0)
            after = &(*at)->next;
    }
    if (after)
        at = after;
    m->next = *at;
    *at = m;
}

void histogram_register(struct histogram *h)
{
    struct histogram **at = &histograms;

    for (; *at; at = &(*at)->next)
        if (*at == h)
            return;
    h->next = NULL;
    *at = h;
}

void histogram_observe_ms(struct histogram *h, double ms)
{
    double bound = 1;
    int i = 0;

    while (i < HISTOGRAM_BUCKETS && ms > bound) {
        bound *= 2;
        i++;
    }
    h->bucket[i]++;
    h->count++;
    h->sum_us += (uint64_t)(ms * 1000);
}

void metrics_write(struct buf *out)
{
    const char *last = "";
    double value;

    for (const struct metric *m = metrics; m; m = m->next) {
        if (strcmp(last, m->name) != 0)
            buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
                       m->kind == METRIC_COUNTER ? "counter" : "gauge");
        last = m->name;
        value = (double)atomic_load_explicit(&m->value, memory_order_relaxed);
        for (int i = 0; i < m->decimals; i++)
            value /= 10;
        buf_printf(out, m->labels ? "%s{%s} %.*f\n" : "%s%s %.*f\n", m->name, m->labels ? m->labels : "", m->decimals,
                   value);
    }
    for (const struct histogram *h = histograms; h; h = h->next) {
        uint64_t below = 0;

        buf_printf(out, "# HELP %s %s\n# TYPE %s histogram\n", h->name, h->help, h->name);
        for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
            below += h->bucket[i];
            buf_printf(out, "%s_bucket{le=\"%g\"} %llu\n", h->name, 0.001 * (double)(1 << i),
                       (unsigned long long)below);
        }
        buf_printf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.6f\n%s_count %llu\n", h->name,
                   (unsigned long long)h->count, h->name, (double)h->sum_us / 1e6, h->name,
                   (unsigned long long)h->count);
    }
}
