#include "core/actor/mailbox.h"

#include "core/base/must.h"

#include <assert.h>
#include <stdlib.h>

void mailbox_init(struct mailbox *box, uint32_t max_count, size_t max_bytes, uint32_t control_room)
{
    assert(max_count > 0 && max_bytes > 0);
    *box = (struct mailbox){.max_count = max_count, .max_bytes = max_bytes, .control_room = control_room};
}

static void mailbox_grow(struct mailbox *box)
{
    uint32_t capacity = box->capacity ? box->capacity * 2 : 16;
    struct envelope *ring = malloc(capacity * sizeof *ring);

    if (!ring)
        out_of_memory();
    for (uint32_t i = 0; i < box->count; i++)
        ring[i] = box->ring[(box->head + i) & (box->capacity - 1)];
    free(box->ring);
    box->ring = ring;
    box->capacity = capacity;
    box->head = 0;
}

static bool mailbox_has_room(const struct mailbox *box, uint32_t lane, size_t bytes)
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

bool mailbox_push(struct mailbox *box, const struct envelope *e)
{
    size_t bytes = e->msg ? e->msg->size_bytes : 0;

    if (!mailbox_has_room(box, e->lane, bytes))
        return false;
    if (box->count == box->capacity)
        mailbox_grow(box);
    box->ring[(box->head + box->count) & (box->capacity - 1)] = *e;
    box->count++;
    box->bytes += bytes;
    return true;
}

bool mailbox_pop(struct mailbox *box, struct envelope *e)
{
    if (box->count == 0)
        return false;
    *e = box->ring[box->head];
    box->head = (box->head + 1) & (box->capacity - 1);
    box->count--;
    box->bytes -= e->msg ? e->msg->size_bytes : 0;
    return true;
}

void mailbox_free(struct mailbox *box)
{
    struct envelope e;

    while (mailbox_pop(box, &e))
        msg_unref(e.msg);
    free(box->ring);
    box->ring = NULL;
    box->capacity = 0;
}
