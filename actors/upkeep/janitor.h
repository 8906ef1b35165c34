/* Periodic maintenance: expires leases, continues deletions and merges that were cut short, prunes old events,
 * Idempotency-Keys and rows of the gallery's log, removes orphan files and old thumbnails, and retries failed images
 * when KITH_RETRY_POLICY says so. Each step is bounded, so that other asks of the store do not wait long.
 */
#ifndef KITH_ACTORS_UPKEEP_JANITOR_H
#define KITH_ACTORS_UPKEEP_JANITOR_H

#include "core/store/spool.h"

struct janitor_config {
    const char *processor;     /* actor to nudge when images are pending again */
    const struct spool *spool; /* borrowed, as thumbs and files */
    const char *thumbs;
    struct offload *files;
    bool alone;       /* the database has one process, this one */
    int64_t lease_ms; /* after so long without a batch, an operation has no caller any more */
    uint64_t store_ms, reap_ms, sweep_ms, prune_ms;
    uint64_t retry_ms;              /* 0: failed images are retried by request only */
    int64_t pause_ms, pause_max_ms; /* before an image that failed again is retried again */
    int64_t tries, crashes, events_keep, orphan_age_ms, thumb_age_ms, idempotency_ms;
    int64_t merge_undo_ms;                 /* for how long a merge of people can be undone */
    int64_t keep_events_ms, keep_audit_ms; /* 0: not by age */
    int64_t erase_age_ms;   /* a node that was not seen for so long is forgotten with its pending removals */
    int64_t gallery_log_ms; /* age of the removals that the gallery's log need not keep */
};

extern const struct actor_ops janitor_actor;

#endif
