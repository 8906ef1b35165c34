/* Heartbeats: each node broadcasts its actors, roles and load, and removes peers that are silent. Loop thread. */
#ifndef KITH_ACTORS_CLUSTER_PRESENCE_H
#define KITH_ACTORS_CLUSTER_PRESENCE_H

#include "core/actor/actor.h"
#include "core/base/buf.h"

struct received;

void presence_register_metrics(void);

/* Broadcasts this node's heartbeat; nothing without a connection. */
void presence_send(struct actor *self);
/* A heartbeat of a peer, or of another node that uses this node's name. */
void presence_receive(struct actor *self, const struct received *r);
/* Removes peers without a message for `timeout_ms`. */
void presence_remove_silent(struct actor *self);
/* On a node without recognisers: tells the processor and health what the peers' recognisers can take, if it changed. */
void presence_tell_capacity(struct actor *self);

/* The answer to GET /v1/nodes. */
void presence_write_json(struct actor *self, struct buf *out);

#endif
