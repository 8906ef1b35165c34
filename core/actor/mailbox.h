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

/* Doubles the ring; its first one has 16 places. */
void mailbox_grow(struct mailbox *box);

static inline bool mailbox_has_room(const struct mailbox *box, uint32_t lane, size_t bytes)
{
    switch (lane) {
    case MAIL_REPLY:
        return true;
    case MAIL_CONTROL:
        return box->count < box->max_count + box->control_room;
    default:
        /* An empty mailbox takes a message above the byte limit, which could not be sent otherwise. */
        return box->count < box->max_count && (box->bytes + bytes <= box->max_bytes || box->count == 0);
    }
}

/* Field by field: a vector load of what was just written as fields waits until those stores have ended, which took a
 * third of the time of a hop. */
static inline void mailbox_copy(struct envelope *to, const struct envelope *from)
{
    to->msg = from->msg;
    to->sender = from->sender;
    to->ask_id = from->ask_id;
    to->status = from->status;
    to->lane = from->lane;
}

/* Takes the message of `e`. Returns false, and takes nothing, when the lane's limit is reached. */
static inline bool mailbox_push(struct mailbox *box, const struct envelope *e)
{
    size_t bytes = e->msg ? e->msg->size_bytes : 0;

    if (!mailbox_has_room(box, e->lane, bytes))
        return false;
    if (box->count == box->capacity)
        mailbox_grow(box);
    mailbox_copy(&box->ring[(box->head + box->count) & (box->capacity - 1)], e);
    box->count++;
    box->bytes += bytes;
    return true;
}

/* Moves the oldest envelope to `e`; the caller owns its message now. Returns false when empty. */
static inline bool mailbox_pop(struct mailbox *box, struct envelope *e)
{
    if (box->count == 0)
        return false;
    mailbox_copy(e, &box->ring[box->head]);
    box->head = (box->head + 1) & (box->capacity - 1);
    box->count--;
    box->bytes -= e->msg ? e->msg->size_bytes : 0;
    return true;
}

/* Releases every message and the ring. */
void mailbox_free(struct mailbox *box);

#endif
