/* Accepts images over HTTP: one or many paths, or the bytes of one image. */
#ifndef KITH_ACTORS_INTAKE_RECEIVER_H
#define KITH_ACTORS_INTAKE_RECEIVER_H

#include "core/base/path.h"
#include "core/store/spool.h"

struct receiver_config {
    const char *waiting; /* actor that is told of new images: "processor", or "work_queue" in a cluster */
    const struct path_roots *roots;
    const struct spool *spool; /* NULL: uploads are refused, because other nodes could not read them */
    struct offload *files;     /* writes uploads, looks up relative paths */
    uint64_t store_ms;
    size_t max_paths, max_path, max_image;
};

extern const struct actor_ops receiver_actor;

#endif
