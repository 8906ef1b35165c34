/* The loop's side.
 *
 *   bus.c ─▶ connection.c (the thread) ─▶ bus_queue.c
 */
#include "core/bus/bus_internal.h"

#include "core/base/must.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* --- from the thread to the loop --- */

static void bus_deliver(struct bus *bus, struct incoming *in)
{
    struct bus_message m = {0};

    if (!in->msg) {
        bus->o.on_state(bus->o.context, in->connected, in->reason);
        return;
    }
    m.subscription = in->subscription;
    m.subject = natsMsg_GetSubject(in->msg);
    m.reply = natsMsg_GetReply(in->msg);
    m.data = natsMsg_GetData(in->msg);
    m.len = (size_t)natsMsg_GetDataLength(in->msg);
    if (m.len == 0 && natsMsgHeader_Get(in->msg, "Status", &m.status) == NATS_OK)
        natsMsgHeader_Get(in->msg, "Description", &m.description);
    bus->o.on_message(bus->o.context, &m);
}

static void bus_on_wake(uv_async_t *handle)
{
    struct bus *bus = handle->data;
    struct incoming *in, *next;

    if (!bus)
        return;
    pthread_mutex_lock(&bus->lock);
    in = bus->in_first;
    bus->in_first = NULL;
    bus->in_last = &bus->in_first;
    bus->in_count = 0;
    pthread_mutex_unlock(&bus->lock);
    for (; in; in = next) {
        next = in->next;
        bus_deliver(bus, in);
        natsMsg_Destroy(in->msg);
        free(in);
    }
}

/* --- from the loop to the thread --- */

struct bus *bus_new(const struct bus_options *options)
{
    struct bus *bus = calloc(1, sizeof *bus);
    sigset_t all, before;

    if (!bus || !(bus->wake = calloc(1, sizeof *bus->wake)))
        out_of_memory();
    bus->o = *options;
    bus->out_last = &bus->out_first;
    bus->in_last = &bus->in_first;
    bus->wake->data = bus;
    pthread_mutex_init(&bus->lock, NULL);
    pthread_cond_init(&bus->changed, NULL);
    uv_async_init(options->loop, bus->wake, bus_on_wake);
    sigfillset(&all); /* signals go to the loop thread; the library's threads inherit the mask */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    nats_Open(-1);
    if (pthread_create(&bus->thread, NULL, bus_run, bus))
        must_end("cannot start a thread");
    pthread_setname_np(bus->thread, "bus");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return bus;
}

bool bus_publish(struct bus *bus, const char *subject, const char *reply, const void *data, size_t len)
{
    size_t subject_len = strlen(subject) + 1, reply_len = reply ? strlen(reply) + 1 : 0;
    struct outgoing *out;
    bool fits;

    if (!bus)
        return false;
    out = malloc(sizeof *out + len + subject_len + reply_len);
    if (!out)
        out_of_memory();
    out->next = NULL;
    out->len = len;
    out->bytes = sizeof *out + len + subject_len + reply_len;
    memcpy(out->data, data, len);
    out->subject = memcpy(out->data + len, subject, subject_len);
    out->reply = reply ? memcpy(out->data + len + subject_len, reply, reply_len) : NULL;
    pthread_mutex_lock(&bus->lock);
    fits = bus->connected && bus->stats.queued_bytes + out->bytes <= bus->o.max_queued_bytes;
    if (fits) {
        *bus->out_last = out;
        bus->out_last = &out->next;
        bus->stats.queued_bytes += out->bytes;
        pthread_cond_signal(&bus->changed);
    } else {
        bus->stats.refused++;
    }
    pthread_mutex_unlock(&bus->lock);
    if (!fits)
        free(out);
    return fits;
}

static struct bus *volatile last_bus; /* keeps it reachable for the leak checker */

static void bus_free_wake(uv_handle_t *handle)
{
    free(handle);
}

void bus_free(struct bus *bus)
{
    struct incoming *in, *next;

    if (!bus)
        return;
    pthread_mutex_lock(&bus->lock);
    bus->stopping = true;
    pthread_cond_signal(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
    pthread_join(bus->thread, NULL);
    pthread_mutex_lock(&bus->lock);
    bus->wake->data = NULL;
    uv_close((uv_handle_t *)bus->wake, bus_free_wake);
    for (in = bus->in_first; in; in = next) {
        next = in->next;
        natsMsg_Destroy(in->msg);
        free(in);
    }
    bus->in_first = NULL;
    bus_drop_outgoing(bus);
    pthread_mutex_unlock(&bus->lock);
    /* The struct stays for callbacks that still run. nats_Close() is not called: it would clean up OpenSSL, which
     * others use. A process has one bus. */
    last_bus = bus;
}

struct bus_stats bus_stats(struct bus *bus)
{
    struct bus_stats stats = {0};

    if (!bus)
        return stats;
    pthread_mutex_lock(&bus->lock);
    stats = bus->stats;
    stats.connected = bus->connected;
    pthread_mutex_unlock(&bus->lock);
    return stats;
}
