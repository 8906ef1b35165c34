/* Server-Sent Events: what changes, as it changes. */
#ifndef KITH_ACTORS_FRONTEND_EVENTS_H
#define KITH_ACTORS_FRONTEND_EVENTS_H

#include "core/actor/actor.h"

struct events_config {
    uint64_t store_ms, gather_ms, heartbeat_ms; /* gather: changes within it are read together */
    uint64_t poll_ms;                           /* how often others' changes are looked for; 0: there are no others */
    int page;
    uint32_t subscribers_max;
};

extern const struct actor_ops events_actor;

#endif
