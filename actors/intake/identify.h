/* POST /v1/identify: the people in one image. It is answered at once and not queued. */
#ifndef KITH_ACTORS_INTAKE_IDENTIFY_H
#define KITH_ACTORS_INTAKE_IDENTIFY_H

#include "core/actor/offload.h"
#include "core/base/path.h"
#include "core/match/face.h"

struct identify_config {
    const char *recognizer, *gallery;
    const struct path_roots *roots;
    struct offload *files; /* looks up relative paths */
    size_t max_path;
    uint64_t call_ms;
    struct doubt_limits doubt;
};

extern const struct actor_ops identify_actor;

#endif
