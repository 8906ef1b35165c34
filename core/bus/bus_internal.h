/* The state that the files of this folder share. */
#ifndef KITH_CORE_BUS_BUS_INTERNAL_H
#define KITH_CORE_BUS_BUS_INTERNAL_H

#include "core/base/error.h"
#include "core/bus/bus.h"

#include <nats/nats.h>
#include <pthread.h>

struct outgoing {
    struct outgoing *next;
    size_t len, bytes;
    char *subject, *reply; /* in `data`, behind the message */
    char data[];
};

struct incoming { /* a message, or (msg NULL) a change of state */
    struct incoming *next;
    natsMsg *msg;
    int subscription;
    bool connected;
    char reason[256];
};

struct subscription { /* the context of the library's callback */
    struct bus *bus;
    int index;
    natsSubscription *handle;
};

struct bus {
    struct bus_options o;
    struct subscription subscriptions[BUS_SUBJECTS_MAX]; /* of the bus's thread */
    uv_async_t *wake;                                    /* owned by the loop once closing */
    pthread_t thread;
    struct error error; /* of the bus's thread: why a secret cannot be read; "": it can */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, lost, connected; /* under `lock`, as all below */
    struct outgoing *out_first, **out_last;
    struct incoming *in_first, **in_last;
    int in_count;
    struct bus_stats stats;
};

/* connection.c: the thread of the bus; `arg` is the bus. */
void *bus_run(void *arg);
/* One connection with the options and subscriptions of the bus. Waits for the server. When a secret cannot be read,
 * bus->error says why. */
natsStatus bus_connect(struct bus *bus, natsConnection **nc);
/* Closes it; `nc` may be NULL. */
void bus_disconnect(struct bus *bus, natsConnection *nc);

/* bus_queue.c. Hands a message or a change of state (owned) to the loop. Any thread. */
void bus_hand_over(struct bus *bus, struct incoming *in);
/* Drops what waits to be sent. Called with `lock` held. */
void bus_drop_outgoing(struct bus *bus);

enum { BUS_INCOMING_MAX = 65536 }; /* messages that wait for the loop; further ones are dropped */

#endif
