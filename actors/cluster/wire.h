/* Messages as bytes, for other nodes: the bodies of proto/kith.proto. Loop thread. */
#ifndef KITH_ACTORS_CLUSTER_WIRE_H
#define KITH_ACTORS_CLUSTER_WIRE_H

#include "core/actor/msg.h"
#include "core/base/buf.h"

#include <stdbool.h>

/* Appends the body of `m`; its wire type, or 0 when it is not a message that may leave the process. */
uint32_t wire_encode(const struct msg *m, struct buf *body);

/* An owned message, or NULL when the type is unknown or the body is not what it should be: what comes from the net is
 * checked like everything from outside. */
struct msg *wire_decode(uint32_t wire_type, const void *body, size_t len);

/* A message as it would be had it come from another node, or `m` itself, which it takes, where it may not leave. For
 * test builds: every local message shows then that it can travel. */
struct msg *wire_copy(struct msg *m);

#endif
