/* Keeps the api_keys true: reads keys from the records and from a file, tells of changes, gives the page its cookie. */
#ifndef KITH_ACTORS_ACCESS_KEYS_H
#define KITH_ACTORS_ACCESS_KEYS_H

#include "actors/access/auth.h"
#include "core/actor/offload.h"

struct keys_config {
    struct auth *door; /* written here, read by routes_dispatch; the same thread */
    const char *file;  /* "": none */
    struct offload *files;
    uint64_t store_ms, poll_ms; /* how often records and file are looked at */
};

extern const struct actor_ops keys_actor;

#endif
