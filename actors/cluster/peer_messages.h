/* Which messages a peer node may send to the actors of this node. Everything that the table does not list is refused:
 * HTTP requests, private messages and the store's messages never come from outside. Pure functions, any thread. */
#ifndef KITH_ACTORS_CLUSTER_PEER_MESSAGES_H
#define KITH_ACTORS_CLUSTER_PEER_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a peer may send a message of `type` to `actor`: as an ask if `ask`, else as a tell. */
bool peer_message_allowed(const char *actor, uint32_t type, bool ask);

/* Whether a peer may answer an ask of `ask_type` with a message of `reply_type`. */
bool peer_reply_allowed(uint32_t ask_type, uint32_t reply_type);

#endif
