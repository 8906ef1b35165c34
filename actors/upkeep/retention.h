/* Deletes images by age, batch by batch, the oldest first, in the same way as a request does (KITH_KEEP_IMAGES,
 * KITH_KEEP_UNKNOWN). Several nodes may do it at once: an image is deleted once. */
#ifndef KITH_ACTORS_UPKEEP_RETENTION_H
#define KITH_ACTORS_UPKEEP_RETENTION_H

#include "core/actor/actor.h"

struct retention_config {
    int64_t images_ms, unknown_ms; /* 0: no limit */
    uint64_t check_ms, store_ms;
};

extern const struct actor_ops retention_actor;

#endif
