/* A message between actors: the header that every message struct begins with.
 *
 * A message is reference counted and immutable once it is sent, so one message can be in several mailboxes.
 * Only the loop thread changes the count. Another thread may make messages, and may read a message while an actor
 * holds a reference for it.
 */
#ifndef KITH_CORE_ACTOR_MSG_H
#define KITH_CORE_ACTOR_MSG_H

#include "core/base/cancel.h"

#include <stddef.h>
#include <stdint.h>

struct msg {
    uint32_t type;     /* unique in the program; each folder that defines messages has a range of its own */
    uint32_t refs;     /* loop thread only */
    size_t size_bytes; /* of the struct and all that it owns, for the limit of mailboxes */
    void (*destroy)(struct msg *self); /* frees what the struct owns, not the struct; may be NULL */
    /* Set when nobody waits for the outcome; owned, NULL for none. The runtime gives it to each ask that is sent while
     * this message, or an answer on its behalf, is handled. */
    struct cancel *cancel;
    bool skip_cancelled; /* a mailbox drops the message, without handling it, once it is cancelled */
};

/* A zeroed message of `struct_bytes` (at least sizeof(struct msg)) with one reference, which the caller owns.
 * Never NULL: without memory the process aborts. */
struct msg *msg_new(uint32_t type, size_t struct_bytes);

/* One more reference to `m`; returns `m`. */
struct msg *msg_ref(const struct msg *m);

/* Drops one reference; the last one frees the message. NULL does nothing. */
void msg_unref(const struct msg *m);

#endif
