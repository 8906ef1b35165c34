#include "core/actor/mailbox.h"

#include "core/base/must.h"

#include <assert.h>
#include <stdlib.h>

void mailbox_init(struct mailbox *box, uint32_t max_count, size_t max_bytes, uint32_t control_room)
{
    assert(max_count > 0 && max_bytes > 0);
    *box = (struct mailbox){.max_count = max_count, .max_bytes = max_bytes, .control_room = control_room};
}

void mailbox_grow(struct mailbox *box)
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

void mailbox_free(struct mailbox *box)
{
    struct envelope e;

    while (mailbox_pop(box, &e))
        msg_unref(e.msg);
    free(box->ring);
    box->ring = NULL;
    box->capacity = 0;
}
