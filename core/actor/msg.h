/* A message between actors: a small header that every message struct begins with.
 *
 * A message is immutable once it is sent and reference counted, so one message can stand in many mailboxes.
 * The count is touched on the loop thread only; another thread may read a message that an actor holds for it,
 * and may make new ones, but never takes or drops a reference.
 */
#ifndef KITH_CORE_ACTOR_MSG_H
#define KITH_CORE_ACTOR_MSG_H

#include <stddef.h>
#include <stdint.h>

struct msg {
    uint32_t type;                     /* what it says; each room that defines messages has a range of its own */
    uint32_t refs;                     /* loop thread only */
    size_t size_bytes;                 /* what a mailbox counts: the struct and all that hangs on it */
    void (*destroy)(struct msg *self); /* frees what hangs on the struct, not the struct; may be NULL */
};

/* A zeroed message of `struct_bytes` (at least sizeof(struct msg)) with one reference, which the caller owns.
 * Never NULL: without memory the process aborts, and a supervisor outside starts it again. */
struct msg *msg_new(uint32_t type, size_t struct_bytes);

/* One more reference to `m`; returns `m`. */
struct msg *msg_ref(const struct msg *m);

/* Gives one reference back; the last one frees the message. NULL is fine. */
void msg_unref(const struct msg *m);

#endif
