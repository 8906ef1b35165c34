/* Images over HTTP: the list and single images. */
#ifndef KITH_ACTORS_FRONTEND_FRONTEND_H
#define KITH_ACTORS_FRONTEND_FRONTEND_H

#include "core/actor/offload.h"
#include "core/base/path.h"
#include "core/http/http.h"

struct frontend_config {
    const struct path_roots *roots;
    struct offload *files;           /* reads the stamps of files */
    const struct http_file *openapi; /* borrowed */
    int64_t page_limit;              /* images a page at most (KITH_PAGE_LIMIT) */
    uint64_t store_ms;
};

extern const struct actor_ops frontend_actor;

#endif
