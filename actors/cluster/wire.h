/* Messages as bytes, for other nodes: the bodies of proto/kith.proto. Loop thread. */
#ifndef KITH_ACTORS_CLUSTER_WIRE_H
#define KITH_ACTORS_CLUSTER_WIRE_H

#include "core/actor/msg.h"
#include "core/base/buf.h"

#include <stdbool.h>

/* Appends the body of `m` and returns its wire type; 0: the message may not leave the process. */
uint32_t wire_encode(const struct msg *m, struct buf *body);

/* Returns an owned message, or NULL: the type is unknown, or a value in the body is not valid. */
struct msg *wire_decode(uint32_t wire_type, const void *body, size_t len);

/* Takes `m`; returns it encoded and decoded, or `m` itself where it may not leave the process. For test builds: local
 * messages are then what another node would receive. */
struct msg *wire_copy(struct msg *m);

#endif
