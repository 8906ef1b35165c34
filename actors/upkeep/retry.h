/* Retries and deletes images over HTTP. */
#ifndef KITH_ACTORS_UPKEEP_RETRY_H
#define KITH_ACTORS_UPKEEP_RETRY_H

#include "core/actor/actor.h"

struct retry_config {
    const char *processor; /* actor to nudge when images are pending again */
    uint64_t store_ms;
    int64_t pause_ms, pause_max_ms; /* before an image that failed again is retried in a batch */
};

extern const struct actor_ops retry_actor;

#endif
