/* Envelopes on the bus: one message of an actor, or one part of a large one. Loop thread. */
#ifndef KITH_ACTORS_CLUSTER_TRANSPORT_H
#define KITH_ACTORS_CLUSTER_TRANSPORT_H

#include "actors/cluster/peers.h"
#include "core/actor/actor.h"
#include "core/bus/bus_messages.h"

/* What arrived. The caller releases it. */
struct received {
    Kith__V1__Envelope *envelope;
    struct peer_node *peer; /* the sender; NULL: another node that uses this node's name */
    const void *body;       /* whole; borrowed from the envelope or from `parts` */
    size_t len;
    struct buf parts;
};

void transport_register_metrics(void);

/* Sends `body` to a node in envelopes like `e`: in parts when it is larger than one message. Fills in the fields of
 * the sender. ACTOR_OK: queued. */
int transport_send(struct actor *self, const char *node, Kith__V1__Envelope *e, const struct buf *body);
/* Publishes a message to all nodes. */
void transport_publish(struct actor *self, uint32_t type, const void *body, size_t len);

/* Decodes and checks one bus message. True: `r` is a whole message of a peer that was not received before. */
bool transport_receive(struct actor *self, const struct msg_bus *m, struct received *r);
void transport_release(struct received *r);

/* Counts a message that the receiver does not understand. */
void transport_count_undecodable(void);

#endif
