/* The circuit breaker of one recogniser: between those who want a picture recognised and the actor that can. */
#ifndef KITH_ACTORS_PIPELINE_CIRCUIT_BREAKER_H
#define KITH_ACTORS_PIPELINE_CIRCUIT_BREAKER_H

#include "core/actor/actor.h"

struct breaker_config {
    const char *recognizer;         /* the actor behind it */
    uint32_t failures;              /* in a row that open it */
    uint64_t open_ms, open_max_ms;  /* the first wait, and its ceiling */
    uint64_t call_ms, probe_ms;     /* deadlines of a call and of a health check */
    uint32_t jitter_percent;        /* of the wait, either way */
    const char *const *subscribers; /* told of every change; ends with NULL */
};

extern const struct actor_ops breaker_actor;

#endif
