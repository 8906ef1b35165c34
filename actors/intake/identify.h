/* Who is this? Answered now, not queued. */
#ifndef KITH_ACTORS_INTAKE_IDENTIFY_H
#define KITH_ACTORS_INTAKE_IDENTIFY_H

#include "core/actor/actor.h"
#include "core/base/path.h"

struct identify_config {
    const char *breaker, *gallery;
    const struct path_roots *roots;
    size_t max_path;
    uint64_t call_ms;
};

extern const struct actor_ops identify_actor;

#endif
