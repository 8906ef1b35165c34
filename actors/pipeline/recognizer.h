/* The pool of recognition workers. */
#ifndef KITH_ACTORS_PIPELINE_RECOGNIZER_H
#define KITH_ACTORS_PIPELINE_RECOGNIZER_H

#include "core/actor/offload.h"
#include "core/base/path.h"
#include "plugins/host/worker_process.h"

struct recognizer_config {
    struct worker_options worker; /* but its actor */
    struct path_roots *roots;     /* what paths are opened below */
    struct offload *files;        /* where they are opened */
    uint32_t workers, queue_max;
    uint32_t quarantine_max;         /* hashes that the workers get, at most QUARANTINE_MAX */
    uint64_t open_ms, wait_ms;       /* limits of a request: to the opening of its file, then to a worker */
    uint64_t recognize_ms, start_ms; /* deadlines of a job and of loading the plug-in */
    uint64_t images_max, memory_max; /* a worker is replaced after so many, or above so much */
};

extern const struct actor_ops recognizer_actor;

#endif
