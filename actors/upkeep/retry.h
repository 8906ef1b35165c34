/* Retries and deletes images over HTTP. */
#ifndef KITH_ACTORS_UPKEEP_RETRY_H
#define KITH_ACTORS_UPKEEP_RETRY_H

#include "core/actor/actor.h"

struct retry_config {
    const char *processor; /* actor to nudge when images are pending again */
    uint64_t store_ms;
};

extern const struct actor_ops retry_actor;

#endif
