/* The actor "cluster": which other nodes there are, and messages to and from their actors. */
#ifndef KITH_ACTORS_CLUSTER_CLUSTER_H
#define KITH_ACTORS_CLUSTER_CLUSTER_H

#include "actors/cluster/bus_link.h"
#include "actors/cluster/node_name.h"
#include "actors/messages.h"
#include "core/actor/system.h"

struct cluster_config {
    struct bus_link *link; /* the actor opens it once the id of the cluster is known; NULL: this node works alone */
    const char *node, *roles, *version;
    const char *const *api; /* the address of the HTTP interface, once it listens */
    uint64_t boot;          /* random number of this run of the node */
    uint64_t beat_ms;       /* interval of heartbeats */
    uint64_t timeout_ms;    /* a node without a message for this long is removed */
    size_t max_message;     /* bytes of one message of the bus; a larger body is sent in parts */
    size_t max_body;        /* bytes of a body joined from parts */
    bool recognizes;        /* this node has recognisers of its own */
    /* This node must stop: another one has its name, or the database now holds another cluster. */
    void (*give_up)(void *context, int code, const char *reason);
    void *context;
};

extern const struct actor_ops cluster_actor;

#endif
