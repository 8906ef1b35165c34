/* Server-Sent Events: changes of images, people and the circuit breaker, as they are committed. */
#ifndef KITH_ACTORS_FRONTEND_EVENTS_H
#define KITH_ACTORS_FRONTEND_EVENTS_H

#include "core/actor/actor.h"

struct events_config {
    uint64_t store_ms;
    uint64_t gather_ms;       /* changes within this time are read together */
    uint64_t keepalive_ms;    /* interval of comments that keep an idle stream open (KITH_EVENTS_KEEPALIVE) */
    uint64_t poll_ms;         /* interval of looking for changes of other nodes; 0: there are no other nodes */
    int page;                 /* events that are read at once */
    uint32_t subscribers_max; /* KITH_MAX_SUBSCRIBERS */
    uint32_t address_max;     /* of one client address (KITH_MAX_SUBSCRIBERS_PER_ADDRESS) */
    uint32_t key_max;         /* of one API key (KITH_MAX_SUBSCRIBERS_PER_KEY) */
};

extern const struct actor_ops events_actor;

#endif
