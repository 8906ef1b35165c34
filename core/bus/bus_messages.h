/* The messages of the bus to the actors that receive from it ("cluster", "work_queue"). Loop thread. */
#ifndef KITH_CORE_BUS_BUS_MESSAGES_H
#define KITH_CORE_BUS_BUS_MESSAGES_H

#include "core/actor/msg.h"
#include "core/base/arena.h"
#include "core/bus/bus.h"

enum bus_message_type { MSG_BUS = 0x2200, MSG_BUS_STATE };

struct msg_bus { /* a message from the bus; texts and data are in the arena */
    struct msg head;
    struct arena arena;
    const char *subject, *reply, *status, *description;
    const void *data;
    size_t len;
};

struct msg_bus_state {
    struct msg head;
    bool connected;
    char reason[256]; /* not connected: why */
};

/* For the callbacks of the bus. They copy. */
struct msg_bus *msg_bus_new(const struct bus_message *m);
struct msg_bus_state *msg_bus_state_new(bool connected, const char *reason);

#endif
