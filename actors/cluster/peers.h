/* What the files of the actor "cluster" share: its peers and its state. */
#ifndef KITH_ACTORS_CLUSTER_PEERS_H
#define KITH_ACTORS_CLUSTER_PEERS_H

#include "actors/cluster/cluster.h"
#include "core/bus/bus_messages.h"
#include "kith.pb-c.h"

#include <uthash.h>

struct part_list { /* a body that comes in parts */
    uint64_t correlation;
    uint32_t type, next, parts;
    struct buf body;
};

struct peer_node {
    char name[NODE_BYTES];
    uint64_t boot, seen_ms;
    uint64_t last_id, last_beat;  /* of what it says to us, and to all: two subjects, with no order between them */
    Kith__V1__Presence *presence; /* its last words about itself */
    struct part_list parts;
    UT_hash_handle hh;
};

struct remote_ask { /* an ask of ours that a peer has */
    uint64_t ask;
    uint32_t type; /* of the message that was asked: it decides which answers are accepted */
    char node[NODE_BYTES];
    UT_hash_handle hh;
};

struct cluster {
    struct peer_node *peers;
    struct remote_ask *asks;
    struct msg_capacity capacity;
    struct msg_breaker breaker;
    uint64_t next_id;
    uint32_t turn; /* round robin among those that have an actor */
    bool bus_known, connected, leaving;
    uint64_t refusal_logged_ms; /* when a refused message was last logged; 0: never */
    uint64_t refusals_unlogged; /* since then */
    uint64_t started_ms;        /* wall clock */
    int told_ready;             /* what the processor was last told of others' recognisers */
    int told_workers;
};

/* cluster_link.c: envelopes. */
void cluster_link_start(void);
int cluster_send(void *context, struct actor *sender, const char *to, struct msg *m, uint64_t ask, uint64_t timeout_ms);
void cluster_receive(struct actor *self, const struct msg_bus *m);
void cluster_end_asks_of(struct actor *self, const char *node);
/* Publishes a body of our own, not a message of an actor. */
void cluster_say(struct actor *self, const char *subject, uint32_t type, const void *body, size_t len);

/* cluster.c */
bool peer_has(const struct peer_node *peer, const char *actor);
void cluster_on_presence(struct actor *self, struct peer_node *peer, const void *body, size_t len, bool leaving);

#endif
