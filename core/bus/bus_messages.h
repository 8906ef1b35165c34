/* What the bus says to the actors that listen to it ("cluster", "work_queue"), as messages. Loop thread. */
#ifndef KITH_CORE_BUS_BUS_MESSAGES_H
#define KITH_CORE_BUS_BUS_MESSAGES_H

#include "core/actor/msg.h"
#include "core/base/arena.h"
#include "core/bus/bus.h"

enum bus_message_type { MSG_BUS = 0x2200, MSG_BUS_STATE };

struct msg_bus { /* what came over the bus; texts and data lie in the arena */
    struct msg head;
    struct arena arena;
    const char *subject, *reply, *status, *words;
    const void *data;
    size_t len;
};

struct msg_bus_state {
    struct msg head;
    bool connected;
    char words[256];
};

/* For the bus's callbacks: copies. */
struct msg_bus *msg_bus_new(const struct bus_message *m);
struct msg_bus_state *msg_bus_state_new(bool connected, const char *words);

#endif
