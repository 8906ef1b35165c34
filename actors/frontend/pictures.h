/* Photos, thumbnails and face crops. */
#ifndef KITH_ACTORS_FRONTEND_PICTURES_H
#define KITH_ACTORS_FRONTEND_PICTURES_H

#include "core/base/path.h"
#include "core/store/spool.h"

struct pictures_config {
    const char *recognizer;
    struct path_roots *roots;
    const char *thumbs; /* folder of the cache, absolute; it has a tmp/ */
    struct offload *files;
    uint64_t store_ms, call_ms;
    size_t max_image;
};

/* Makes the cache's folder below `data`, its absolute name into `thumbs`. 0 or negative errno with `error`. */
int pictures_open(const char *data, char *thumbs, size_t size, struct error *error);

extern const struct actor_ops pictures_actor;

#endif
