/* The other nodes: who is there, and the way to their actors. */
#ifndef KITH_ACTORS_CLUSTER_CLUSTER_H
#define KITH_ACTORS_CLUSTER_CLUSTER_H

#include "actors/messages.h"
#include "core/actor/system.h"
#include "core/bus/bus.h"

/* What a node may be called: its name becomes part of a subject. */
#define NODE_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
enum { NODE_BYTES = 64 };

struct cluster_config {
    struct bus *const *bus; /* NULL inside: there is no bus, and this node is alone */
    const char *prefix;     /* of subjects: nodes with another one are another cluster */
    const char *node, *roles, *version;
    const char *const *api; /* the address of the HTTP interface, once it listens */
    uint64_t boot;          /* which run of the node this is: random */
    uint64_t beat_ms;       /* how often it says that it is there */
    uint64_t timeout_ms;    /* a node that is silent so long is gone */
    size_t max_message;     /* bytes of one message of the bus; what is larger goes in parts */
    size_t max_body;        /* bytes of a message put together again */
    bool recognizes;        /* this node has recognisers of its own */
    void (*give_up)(void *context, const char *words); /* two nodes of one name: this one must go */
    void *context;
};

/* The subjects that a node listens to, into `list` (at least 4 places, ended by NULL); they live in `arena`. */
void cluster_subjects(struct arena *arena, const char *prefix, const char *node, const char **list);

extern const struct actor_ops cluster_actor;

#endif
