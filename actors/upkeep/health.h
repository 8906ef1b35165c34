/* Health over HTTP: /healthz, /readyz, /metrics and /v1/stats. */
#ifndef KITH_ACTORS_UPKEEP_HEALTH_H
#define KITH_ACTORS_UPKEEP_HEALTH_H

#include "core/actor/offload.h"
#include "core/http/http.h"

struct health_config {
    const struct http_server *server; /* borrowed; for its counters */
    uint64_t store_ms;
    const char *node; /* whose row in the database is written to test writes */
    uint64_t boot;    /* random number of this run of the node */
    struct offload *files;
    const char *folder;    /* the data folder */
    uint64_t disk_reserve; /* free bytes below which nothing new is accepted; 0: off */
    bool recognizes;       /* ready only with a worker */
    bool remote;           /* the recogniser is a service elsewhere: ready only while it answers */
    bool receives;         /* accepts images: ready also while the breaker of a local recogniser is open */
};

extern const struct actor_ops health_actor;

#endif
