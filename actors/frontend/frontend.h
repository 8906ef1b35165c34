/* What can be looked at: images, numbers, health. */
#ifndef KITH_ACTORS_FRONTEND_FRONTEND_H
#define KITH_ACTORS_FRONTEND_FRONTEND_H

#include "core/http/http.h"

struct frontend_config {
    const struct http_server *server;
    const struct http_file *openapi;
    int64_t page_limit;
    uint64_t store_ms;
    bool recognizes; /* being ready means that there are workers */
    bool receives;   /* and that images are taken, also while the recogniser rests */
};

extern const struct actor_ops frontend_actor;

#endif
