/* The gallery actor: holds the enrolled templates in memory, compares faces with them, and names faces. */
#ifndef KITH_ACTORS_GALLERY_GALLERY_H
#define KITH_ACTORS_GALLERY_GALLERY_H

#include "core/actor/offload.h"

#include <stdint.h>

struct decider;

struct gallery_config {
    struct decider *decider; /* borrowed; only the search thread uses it; lives longer than the thread */
    struct offload *search;  /* must have one thread: jobs keep their order */
    double threshold;        /* distance, for recognisers that return labels; below 0: the recogniser's own */
    uint32_t page;           /* changes, and faces, that are read from the store at once */
    uint64_t poll_ms;        /* interval of looking for changes of other nodes; 0: there are no other nodes */
};

extern const struct actor_ops gallery_actor;

#endif
