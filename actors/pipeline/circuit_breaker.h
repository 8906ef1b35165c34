/* The circuit breaker of the recogniser on this node: it counts how requests end, and says when the recogniser may take
 * requests. */
#ifndef KITH_ACTORS_PIPELINE_CIRCUIT_BREAKER_H
#define KITH_ACTORS_PIPELINE_CIRCUIT_BREAKER_H

#include "core/actor/actor.h"

struct breaker_config {
    const char *recognizer;         /* the actor that a health check asks */
    uint32_t failures;              /* in a row that open it */
    uint64_t open_ms, open_max_ms;  /* the first wait, and its limit */
    uint64_t probe_ms;              /* deadline of a health check */
    uint64_t check_ms;              /* interval of health checks while closed: the recogniser is remote; 0: none */
    uint32_t jitter_percent;        /* of the wait, either way */
    const char *const *subscribers; /* told of every change, the recogniser among them; ends with NULL */
};

extern const struct actor_ops breaker_actor;

#endif
