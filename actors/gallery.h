/* Who is nearest? The enrolled templates in memory, and the search among them. */
#ifndef KITH_ACTORS_GALLERY_H
#define KITH_ACTORS_GALLERY_H

#include "core/actor/offload.h"

struct gallery_index;

struct gallery_config {
    struct gallery_index *index; /* touched by the search thread only; outlives actor and thread */
    struct offload *search;      /* one thread: what is asked first is done first */
    double threshold;            /* below 0: the recogniser's own */
    int candidates;              /* kept for each face */
    uint32_t page;               /* changes and faces read at once */
    uint64_t poll_ms;            /* how often others' changes are looked for; 0: there are no others */
};

extern const struct actor_ops gallery_actor;

#endif
