/* Tells and asks of this node's actors to actors of peers, and of peers to actors of this node. Loop thread. */
#ifndef KITH_ACTORS_CLUSTER_REMOTE_CALLS_H
#define KITH_ACTORS_CLUSTER_REMOTE_CALLS_H

#include "core/actor/system.h"

struct received;
struct remote_calls;

void remote_calls_register_metrics(void);

/* actor_remote.send; `context` is the actor "cluster". */
int remote_calls_send(void *context, struct actor *sender, const char *to, struct msg *m, uint64_t ask,
                      uint64_t timeout_ms);
/* A message of a peer: an ask, a tell, or the answer to an ask. */
void remote_calls_receive(struct actor *self, const struct received *r);
/* Ends the asks of peers that are no longer in the table; forgets those that ended by their deadlines. */
void remote_calls_end_lost(struct actor *self);
void remote_calls_clear(struct remote_calls *calls);

#endif
