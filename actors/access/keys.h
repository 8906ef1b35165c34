/* The actor “keys”: reloads API keys from the database and the key file, logs changes, sends the valid keys to the
 * event streams, and sets the session cookie of the dashboard. */
#ifndef KITH_ACTORS_ACCESS_KEYS_H
#define KITH_ACTORS_ACCESS_KEYS_H

#include "actors/access/auth.h"
#include "core/actor/offload.h"

struct keys_config {
    struct auth *auth; /* borrowed; written by this actor, read by routes_dispatch on the same thread */
    const char *file;  /* "": none */
    struct offload *files;
    uint64_t store_ms, poll_ms; /* poll: period of the reload */
};

extern const struct actor_ops keys_actor;

#endif
