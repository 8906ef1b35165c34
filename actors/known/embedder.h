/* Gives the photos of people that have no template of the model in use one, in the background. */
#ifndef KITH_ACTORS_KNOWN_EMBEDDER_H
#define KITH_ACTORS_KNOWN_EMBEDDER_H

#include "core/actor/actor.h"

#include <stdint.h>

struct embedder_config {
    uint64_t call_ms, store_ms;
    uint64_t pause_ms; /* between two runs */
};

extern const struct actor_ops embedder_actor;

#endif
