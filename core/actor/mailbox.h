/* A mailbox: a ring of envelopes, bounded by count and by bytes, first in, first out.
 *
 * Three lanes share the ring, which keeps the order between two actors:
 *   MAIL_NORMAL   refused when `max_count` or `max_bytes` is reached;
 *   MAIL_CONTROL  may use `control_room` more places, so that control messages reach an actor whose mailbox is full;
 *   MAIL_REPLY    never refused: the number of asks is bounded (max_asks).
 * Loop thread only.
 */
#ifndef KITH_CORE_ACTOR_MAILBOX_H
#define KITH_CORE_ACTOR_MAILBOX_H

#include "core/actor/msg.h"

#include <stdbool.h>

struct actor;

enum mail_lane { MAIL_NORMAL, MAIL_CONTROL, MAIL_REPLY };

struct envelope {
    struct msg *msg;      /* owned by the mailbox; NULL in a reply that carries only a status */
    struct actor *sender; /* NULL when it came from outside the actors */
    uint64_t ask_id;      /* of the ask that this is, or answers; 0 for a tell */
    int32_t status;       /* of a reply */
    uint32_t lane;
};

struct mailbox {
    struct envelope *ring;
    uint32_t capacity; /* a power of two; grows, never shrinks */
    uint32_t head, count;
    size_t bytes;
    uint32_t max_count, control_room;
    size_t max_bytes;
};

void mailbox_init(struct mailbox *box, uint32_t max_count, size_t max_bytes, uint32_t control_room);

/* Takes the message of `e`. Returns false, and takes nothing, when the lane's limit is reached. */
bool mailbox_push(struct mailbox *box, const struct envelope *e);

/* Moves the oldest envelope to `e`; the caller owns its message now. Returns false when empty. */
bool mailbox_pop(struct mailbox *box, struct envelope *e);

/* Releases every message and the ring. */
void mailbox_free(struct mailbox *box);

#endif
