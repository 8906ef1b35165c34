/* Who is nearest? The enrolled templates in memory, and the decisions about faces. */
#ifndef KITH_ACTORS_GALLERY_GALLERY_H
#define KITH_ACTORS_GALLERY_GALLERY_H

#include "core/actor/offload.h"

#include <stdint.h>

struct decider;

struct gallery_config {
    struct decider *decider; /* touched by the search thread only; outlives actor and thread */
    struct offload *search;  /* one thread: what is asked first is done first */
    double threshold;        /* of recognisers that compare by themselves; below 0: the recogniser's own */
    uint32_t page;           /* changes and faces read at once */
    uint64_t poll_ms;        /* how often others' changes are looked for; 0: there are no others */
};

extern const struct actor_ops gallery_actor;

#endif
