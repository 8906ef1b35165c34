/* The table of peer nodes: which nodes were heard, what each said last about itself. Loop thread. It knows neither the
 * bus nor the actor: transport.c and presence.c stand above it. */
#ifndef KITH_ACTORS_CLUSTER_PEERS_H
#define KITH_ACTORS_CLUSTER_PEERS_H

#include "actors/cluster/node_name.h"
#include "core/base/buf.h"
#include "core/base/must.h"
#include "kith.pb-c.h"

#include <uthash.h>

struct part_list { /* a body that arrives in parts */
    uint64_t correlation;
    uint32_t type, next, parts;
    struct buf body;
};

struct peer_node {
    char name[NODE_BYTES];
    uint64_t boot, seen_ms;
    uint64_t last_id, last_beat;  /* last message ids, of its own subject and of presence: no order between the two */
    Kith__V1__Presence *presence; /* the last one; NULL: none yet. Owned */
    uint64_t registered_ms;       /* since when this run says that its row is in its database; 0: it does not */
    uint32_t row_missing;         /* reads of our database without that row, one after the other */
    bool elsewhere;               /* it works on another database with the id of ours */
    struct part_list parts;
    UT_hash_handle hh;
};

struct peers { /* zeroed: empty */
    struct peer_node *first;
};

/* Whether `name` can be a node's name: it becomes part of a subject. */
bool peers_name_valid(const char *name);

/* NULL: not in the table. */
struct peer_node *peers_find(const struct peers *peers, const char *name);
/* Finds or adds. Another `boot` is another run of the node: its message ids start again. NULL: the table is full. */
struct peer_node *peers_add(struct peers *peers, const char *name, uint64_t boot);
void peers_remove(struct peers *peers, struct peer_node *peer);
void peers_clear(struct peers *peers);
size_t peers_count(const struct peers *peers);

/* Whether its last presence lists that actor. */
bool peer_has_actor(const struct peer_node *peer, const char *actor);
/* Whether it may be asked something new: it has the actor, does not stop and works on our database. */
bool peer_accepts_asks(const struct peer_node *peer, const char *actor);

#endif
