/* Takes images from the table through recognition and back into the table. */
#ifndef KITH_ACTORS_PIPELINE_PROCESSOR_H
#define KITH_ACTORS_PIPELINE_PROCESSOR_H

#include "core/actor/actor.h"

#include <stdbool.h>

struct processor_config {
    const char *owner;   /* how the owners of its leases begin: this run of this process */
    const char *node;    /* and how those of all runs on this node do */
    const char *breaker; /* the actor to ask */
    bool work_queue;     /* there is a "work_queue": it is told how many images can be taken */
    uint32_t ahead;      /* images claimed for each worker: the one it has and those it finds at once after it */
    uint64_t lease_ms, poll_ms, call_ms;
    uint64_t backoff_ms;    /* before the second try; doubles */
    int64_t tries, crashes; /* before it is failed */
    uint64_t quarantine_ms;
};

extern const struct actor_ops processor_actor;

#endif
