/* The state of the actor "cluster", shared by the files of this folder. It includes none of them but the table of
 * peers. */
#ifndef KITH_ACTORS_CLUSTER_CLUSTER_INTERNAL_H
#define KITH_ACTORS_CLUSTER_CLUSTER_INTERNAL_H

#include "actors/cluster/cluster.h"
#include "actors/cluster/peers.h"

struct remote_ask;

struct remote_calls {
    struct remote_ask *asks;    /* asks of this node that peers have */
    uint32_t turn;              /* round robin among the nodes that have an actor */
    uint64_t refusal_logged_ms; /* when a refused message was last logged; 0: never */
    uint64_t refusals_unlogged; /* since then */
};

struct cluster {
    struct peers peers;
    uint64_t next_id; /* of the envelopes of this node */
    struct remote_calls calls;
    struct msg_capacity capacity;          /* this node's own */
    struct msg_breaker breaker;            /* this node's own */
    uint64_t started_ms;                   /* wall clock */
    char foreign_logged[CLUSTER_ID_BYTES]; /* the other cluster that was logged last; "": none */
    uint64_t foreign_logged_ms;
    bool asking_identity; /* the store is asked for the id of the cluster */
    uint64_t identity_ms; /* when it last answered; 0: never */
    bool registering;     /* the store is asked to write this node's row */
    bool registered;      /* and has written it the last time */
    uint64_t register_ms; /* when it was asked last; 0: never */
    uint32_t elsewhere;   /* peers on another database with the same id, as health was told */
    bool bus_known;       /* the bus has reported its state */
    bool connected, leaving;
    int told_ready, told_workers; /* what the processor was last told of the peers' recognisers; -1: nothing */
};

#endif
