#include "core/bus/bus_messages.h"

#include <stdio.h>

static void msg_bus_destroy(struct msg *m)
{
    arena_free(&((struct msg_bus *)m)->arena);
}

struct msg_bus *msg_bus_new(const struct bus_message *from)
{
    struct msg_bus *m = (struct msg_bus *)msg_new(MSG_BUS, sizeof *m);

    m->head.destroy = msg_bus_destroy;
    m->head.size_bytes += from->len;
    m->subject = arena_text(&m->arena, from->subject);
    m->reply = arena_text(&m->arena, from->reply);
    m->status = arena_text(&m->arena, from->status);
    m->description = arena_text(&m->arena, from->description);
    m->data = arena_copy(&m->arena, from->data ? from->data : "", from->len);
    m->len = from->len;
    return m;
}

struct msg_bus_state *msg_bus_state_new(bool connected, const char *reason)
{
    struct msg_bus_state *m = (struct msg_bus_state *)msg_new(MSG_BUS_STATE, sizeof *m);

    m->connected = connected;
    snprintf(m->reason, sizeof m->reason, "%s", reason);
    return m;
}
