/* Counters, gauges and histograms in the text format of Prometheus. Registered once and never freed. Any thread may
 * change a counter or a gauge. Registering, observing a histogram and metrics_write are for the loop thread, or before
 * other threads start. */
#ifndef KITH_CORE_BASE_METRICS_H
#define KITH_CORE_BASE_METRICS_H

#include "core/base/buf.h"

#include <stdatomic.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

struct metric {
    const char *name, *labels, *help; /* labels: `reason="poison"` or NULL */
    enum metric_kind kind;
    int decimals; /* 6: `value` counts millionths of the unit in the name */
    _Atomic int64_t value;
    struct metric *next;
};

/* `m` must be static. Registering twice does nothing. Metrics of one name are written together. */
void metric_register(struct metric *m);

static inline void metric_add(struct metric *m, int64_t n)
{
    atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed); /* no other data depends on it */
}

static inline void metric_set(struct metric *m, int64_t n)
{
    atomic_store_explicit(&m->value, n, memory_order_relaxed);
}

enum { HISTOGRAM_BUCKETS = 18 };

/* Durations in seconds; bounds 1 ms · 2^k, the last one 131 s. A quantile is never above the last bound: it exceeds
 * every limit of deploy/monitoring/alerts.yaml. Loop thread only. */
struct histogram {
    const char *name, *help;
    uint64_t bucket[HISTOGRAM_BUCKETS + 1], sum_us, count;
    struct histogram *next;
};

void histogram_register(struct histogram *h);
void histogram_observe_ms(struct histogram *h, double ms);

/* Everything registered, in the exposition format 0.0.4. */
void metrics_write(struct buf *out);

#endif
