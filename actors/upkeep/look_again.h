/* Looks at images again in the background, and serves /v1/images/look-again. */
#ifndef KITH_ACTORS_UPKEEP_LOOK_AGAIN_H
#define KITH_ACTORS_UPKEEP_LOOK_AGAIN_H

#include <stdint.h>

struct look_again_config {
    const char *processor; /* actor to nudge when images are pending again */
    uint64_t store_ms;
    int64_t rate; /* images a second at most, and none while as many wait */
};

extern const struct actor_ops look_again_actor;

#endif
