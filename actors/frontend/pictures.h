/* Photos, thumbnails and face crops over HTTP. */
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

/* Creates the folder of the cache below `data` and writes its absolute path to `thumbs`. 0, or a negative errno with
 * `error`. Blocks: before the loop runs. picture_files.c */
int pictures_open(const char *data, char *thumbs, size_t size, struct error *error);

extern const struct actor_ops pictures_actor;

#endif
