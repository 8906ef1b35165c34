/* Takes images from the table through recognition and writes the results back. */
#ifndef KITH_ACTORS_PIPELINE_PROCESSOR_H
#define KITH_ACTORS_PIPELINE_PROCESSOR_H

#include "core/actor/actor.h"

#include <stdbool.h>

struct processor_config {
    const char *owner;      /* prefix of the owners of its leases: this run of this process */
    const char *node;       /* prefix of the owners of all runs on this node */
    const char *recognizer; /* the actor to ask */
    bool work_queue;        /* "work_queue" brings images: it is told how many more can be claimed */
    uint32_t ahead;         /* images claimed for each worker: the one it works on and those that wait for it */
    uint64_t lease_ms, poll_ms;
    uint64_t call_ms;       /* deadline of an ask of the recogniser or the gallery */
    uint64_t backoff_ms;    /* before the second try of an image; it doubles with each further try */
    int64_t tries, crashes; /* after which an image is failed */
    uint64_t quarantine_ms; /* for which the bytes of a poison image are refused */
};

extern const struct actor_ops processor_actor;

#endif
