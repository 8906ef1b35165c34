/* Accepts images: paths or bytes, one or many. */
#ifndef KITH_ACTORS_INTAKE_RECEIVER_H
#define KITH_ACTORS_INTAKE_RECEIVER_H

#include "core/base/path.h"
#include "core/store/spool.h"

struct receiver_config {
    const char *waiting; /* who hears that images wait */
    const struct path_roots *roots;
    const struct spool *spool; /* NULL: bytes are not taken, for other nodes could not reach them */
    struct offload *files;
    uint64_t store_ms;
    size_t max_paths, max_path, max_image;
};

extern const struct actor_ops receiver_actor;

#endif
