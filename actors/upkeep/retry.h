/* Puts failed images back, takes back expired leases, deletes, and keeps house. */
#ifndef KITH_ACTORS_UPKEEP_RETRY_H
#define KITH_ACTORS_UPKEEP_RETRY_H

#include "core/store/spool.h"

struct redeemer_config {
    const char *processor; /* whom to nudge when images wait again */
    const struct spool *spool;
    const char *thumbs;
    struct offload *files;
    uint64_t store_ms, reap_ms, sweep_ms, prune_ms, retry_ms; /* retry_ms 0: only when asked */
    int64_t tries, crashes, events_keep, orphan_age_ms, thumb_age_ms, idempotency_ms;
};

extern const struct actor_ops redeemer_actor;

#endif
