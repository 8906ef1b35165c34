/* The queues between the loop and the thread of the bus. */
#include "core/bus/bus_internal.h"

#include <stdlib.h>

void bus_hand_over(struct bus *bus, struct incoming *in)
{
    in->next = NULL;
    pthread_mutex_lock(&bus->lock);
    if (bus->stopping || (in->msg && bus->in_count >= BUS_INCOMING_MAX)) {
        pthread_mutex_unlock(&bus->lock);
        natsMsg_Destroy(in->msg);
        free(in);
        return;
    }
    *bus->in_last = in;
    bus->in_last = &in->next;
    bus->in_count++;
    uv_async_send(bus->wake); /* under the lock: bus_free() closes it under the lock */
    pthread_mutex_unlock(&bus->lock);
}

void bus_drop_outgoing(struct bus *bus)
{
    struct outgoing *out, *next;

    for (out = bus->out_first; out; out = next) {
        next = out->next;
        free(out);
    }
    bus->out_first = NULL;
    bus->out_last = &bus->out_first;
    bus->stats.queued_bytes = 0;
}
