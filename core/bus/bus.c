/* The thread of the bus:
 *
 *   CONNECTING ──ok──▶ CONNECTED ──queue──▶ publish
 *       ▲  ╲ refused: wait, longer each time    │ the library closed it, or it has been silent too long
 *       └───────────────────────────────────────┘ everything is thrown away and made anew
 *
 * libnats 3.4.1 knows how to reconnect, and several ways not to come back from it; so it gets one short chance, and
 * then a new connection. Callbacks run on threads of the library: they put into a list and wake the loop.
 */
#include "core/bus/bus.h"

#include <nats/nats.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CONNECT_MS = 2000,
    PING_MS = 1000, /* a server that answers none of three is gone: noticed within 4 s */
    PINGS_MAX = 2,
    WRITE_MS = 3000,
    RECONNECTS = 3, /* the library's own chance, then ours */
    RETRY_MIN_MS = 100,
    RETRY_MAX_MS = 2000,
    INCOMING_MAX = 65536 /* messages that wait for the loop; the library drops what is above, which is a lost message */
};

struct outgoing {
    struct outgoing *next;
    size_t len, bytes;
    char *subject, *reply; /* in `data`, behind the message */
    char data[];
};

struct incoming { /* a message, or (msg NULL) a change of state */
    struct incoming *next;
    natsMsg *msg;
    bool connected;
    char words[256];
};

struct bus {
    struct bus_options o;
    uv_async_t *wake; /* owned by the loop once closing */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t some;
    bool stopping, lost, connected; /* under lock, as all below */
    struct outgoing *out_first, **out_last;
    struct incoming *in_first, **in_last;
    int in_count;
    struct bus_stats stats;
};

/* --- to the loop --- */

static void hand_over(struct bus *bus, struct incoming *in)
{
    in->next = NULL;
    pthread_mutex_lock(&bus->lock);
    if (bus->stopping || (in->msg && bus->in_count >= INCOMING_MAX)) {
        pthread_mutex_unlock(&bus->lock);
        natsMsg_Destroy(in->msg);
        free(in);
        return;
    }
    *bus->in_last = in;
    bus->in_last = &in->next;
    bus->in_count++;
    uv_async_send(bus->wake); /* under the lock: who stops closes it under the lock */
    pthread_mutex_unlock(&bus->lock);
}

static void say_state(struct bus *bus, bool connected, const char *words)
{
    struct incoming *in = calloc(1, sizeof *in);

    if (!in)
        abort();
    in->connected = connected;
    snprintf(in->words, sizeof in->words, "%s", words);
    pthread_mutex_lock(&bus->lock);
    bus->connected = connected;
    bus->stats.connects += connected;
    pthread_mutex_unlock(&bus->lock);
    hand_over(bus, in);
}

static void deliver(struct bus *bus, struct incoming *in)
{
    struct bus_message m = {0};

    if (!in->msg) {
        bus->o.on_state(bus->o.context, in->connected, in->words);
        return;
    }
    m.subject = natsMsg_GetSubject(in->msg);
    m.reply = natsMsg_GetReply(in->msg);
    m.data = natsMsg_GetData(in->msg);
    m.len = (size_t)natsMsg_GetDataLength(in->msg);
    if (m.len == 0 && natsMsgHeader_Get(in->msg, "Status", &m.status) == NATS_OK)
        natsMsgHeader_Get(in->msg, "Description", &m.words);
    bus->o.on_message(bus->o.context, &m);
}

static void on_wake(uv_async_t *handle)
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
        deliver(bus, in);
        natsMsg_Destroy(in->msg);
        free(in);
    }
}

/* --- the library's callbacks, on its threads --- */

static void on_nats_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *context)
{
    struct bus *bus = context;
    struct incoming *in = calloc(1, sizeof *in);

    (void)nc;
    (void)sub;
    if (!in)
        abort();
    in->msg = msg;
    pthread_mutex_lock(&bus->lock);
    bus->stats.received++;
    pthread_mutex_unlock(&bus->lock);
    hand_over(bus, in);
}

static void on_nats_disconnected(natsConnection *nc, void *context)
{
    const char *words = NULL;

    natsConnection_GetLastError(nc, &words);
    say_state(context, false, words && *words ? words : "KITH_NATS: the connection is lost");
}

static void on_nats_reconnected(natsConnection *nc, void *context)
{
    (void)nc;
    say_state(context, true, "");
}

static void on_nats_closed(natsConnection *nc, void *context)
{
    struct bus *bus = context;

    (void)nc;
    pthread_mutex_lock(&bus->lock);
    bus->lost = true;
    pthread_cond_signal(&bus->some);
    pthread_mutex_unlock(&bus->lock);
}

/* Slow consumers and the like: what was dropped is a lost message, which every receiver can bear. */
static void on_nats_error(natsConnection *nc, natsSubscription *sub, natsStatus status, void *context)
{
    (void)nc;
    (void)sub;
    (void)status;
    (void)context;
}

/* --- the bus's thread --- */

static bool given(const char *text)
{
    return text && *text;
}

static natsStatus set_options(struct bus *bus, natsOptions *o)
{
    const char *servers[16];
    char list[2048], *save = NULL;
    int count = 0;
    natsStatus s = NATS_OK;

    snprintf(list, sizeof list, "%s", bus->o.servers);
    for (char *at = strtok_r(list, ", ", &save); at && count < 16; at = strtok_r(NULL, ", ", &save))
        servers[count++] = at;
    s = natsOptions_SetServers(o, servers, count);
    natsOptions_SetName(o, bus->o.name);
    natsOptions_SetTimeout(o, CONNECT_MS);
    natsOptions_SetPingInterval(o, PING_MS);
    natsOptions_SetMaxPingsOut(o, PINGS_MAX);
    natsOptions_SetWriteDeadline(o, WRITE_MS);
    natsOptions_SetMaxReconnect(o, RECONNECTS);
    natsOptions_SetReconnectWait(o, RETRY_MIN_MS);
    natsOptions_SetMaxPendingMsgs(o, INCOMING_MAX);
    natsOptions_SetDisconnectedCB(o, on_nats_disconnected, bus);
    natsOptions_SetReconnectedCB(o, on_nats_reconnected, bus);
    natsOptions_SetClosedCB(o, on_nats_closed, bus);
    natsOptions_SetErrorHandler(o, on_nats_error, bus);
    if (s == NATS_OK && given(bus->o.user))
        s = natsOptions_SetUserInfo(o, bus->o.user, bus->o.password);
    if (s == NATS_OK && given(bus->o.token))
        s = natsOptions_SetToken(o, bus->o.token);
    if (s == NATS_OK && given(bus->o.creds_file))
        s = natsOptions_SetUserCredentialsFromFiles(o, bus->o.creds_file, NULL);
    if (s == NATS_OK && given(bus->o.nkey_seed_file))
        s = natsOptions_SetNKeyFromSeed(o, NULL, bus->o.nkey_seed_file);
    if (s == NATS_OK && given(bus->o.ca_file)) {
        s = natsOptions_SetSecure(o, true);
        if (s == NATS_OK)
            s = natsOptions_LoadCATrustedCertificates(o, bus->o.ca_file);
    }
    return s;
}

static natsStatus open_connection(struct bus *bus, natsConnection **nc, natsSubscription **subs)
{
    natsOptions *o = NULL;
    natsStatus s = natsOptions_Create(&o);

    if (s == NATS_OK)
        s = set_options(bus, o);
    if (s == NATS_OK)
        s = natsConnection_Connect(nc, o);
    for (int i = 0; s == NATS_OK && bus->o.subjects[i]; i++)
        s = natsConnection_Subscribe(&subs[i], *nc, bus->o.subjects[i], on_nats_message, bus);
    if (s == NATS_OK) /* when we say that we are connected, others' messages reach us */
        s = natsConnection_FlushTimeout(*nc, CONNECT_MS);
    natsOptions_Destroy(o);
    return s;
}

static void close_connection(natsConnection *nc, natsSubscription **subs)
{
    for (int i = 0; subs[i]; i++) {
        natsSubscription_Destroy(subs[i]);
        subs[i] = NULL;
    }
    natsConnection_Destroy(nc);
}

/* Waits until something is to be done, or for so long. Called with the lock held. */
static void wait_ms(struct bus *bus, uint64_t ms)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&bus->some, &bus->lock, &t);
}

static void drop_outgoing(struct bus *bus)
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

/* Publishes what is queued until the connection is lost or the bus stops. */
static void serve(struct bus *bus, natsConnection *nc)
{
    pthread_mutex_lock(&bus->lock);
    while (!bus->lost && (!bus->stopping || bus->out_first)) { /* the last words of a node that leaves go out too */
        struct outgoing *out = bus->out_first;

        if (!out) {
            wait_ms(bus, 1000);
            continue;
        }
        if (!(bus->out_first = out->next))
            bus->out_last = &bus->out_first;
        pthread_mutex_unlock(&bus->lock);
        /* May wait for the socket, which is why it is done here. What fails is a lost message. */
        if (out->reply)
            natsConnection_PublishRequest(nc, out->subject, out->reply, out->data, (int)out->len);
        else
            natsConnection_Publish(nc, out->subject, out->data, (int)out->len);
        pthread_mutex_lock(&bus->lock);
        bus->stats.queued_bytes -= out->bytes;
        bus->stats.sent++;
        free(out);
    }
    pthread_mutex_unlock(&bus->lock);
    natsConnection_FlushTimeout(nc, 200);
}

static void *run(void *arg)
{
    enum { SUBJECTS_MAX = 16 };
    struct bus *bus = arg;
    uint64_t retry_ms = RETRY_MIN_MS;
    bool stopping = false;

    while (!stopping) {
        natsSubscription *subs[SUBJECTS_MAX + 1] = {NULL};
        natsConnection *nc = NULL;
        natsStatus s;
        char words[256];

        pthread_mutex_lock(&bus->lock);
        bus->lost = false;
        pthread_mutex_unlock(&bus->lock);
        s = open_connection(bus, &nc, subs);
        if (s == NATS_OK) {
            say_state(bus, true, "");
            retry_ms = RETRY_MIN_MS;
            serve(bus, nc);
        } else {
            snprintf(words, sizeof words, "KITH_NATS%s: %s: %s",
                     s == NATS_CONNECTION_AUTH_FAILED || s == NATS_NOT_PERMITTED ? "_USER, _PASSWORD, _TOKEN or _CREDS"
                                                                                 : "",
                     bus->o.servers, natsStatus_GetText(s));
            say_state(bus, false, words);
        }
        close_connection(nc, subs);
        pthread_mutex_lock(&bus->lock);
        bus->connected = false;
        drop_outgoing(bus);
        if (!bus->stopping && s != NATS_OK) {
            wait_ms(bus, retry_ms / 2 + (uint64_t)random() % retry_ms);
            retry_ms = retry_ms * 2 < RETRY_MAX_MS ? retry_ms * 2 : RETRY_MAX_MS;
        }
        stopping = bus->stopping;
        pthread_mutex_unlock(&bus->lock);
    }
    return NULL;
}

/* --- the loop's side --- */

struct bus *bus_new(const struct bus_options *options)
{
    struct bus *bus = calloc(1, sizeof *bus);
    sigset_t all, before;

    if (!bus || !(bus->wake = calloc(1, sizeof *bus->wake)))
        abort();
    bus->o = *options;
    bus->out_last = &bus->out_first;
    bus->in_last = &bus->in_first;
    bus->wake->data = bus;
    pthread_mutex_init(&bus->lock, NULL);
    pthread_cond_init(&bus->some, NULL);
    uv_async_init(options->loop, bus->wake, on_wake);
    sigfillset(&all); /* signals are the loop's business; the library's threads inherit that */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    nats_Open(-1);
    if (pthread_create(&bus->thread, NULL, run, bus))
        abort();
    pthread_setname_np(bus->thread, "bus");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return bus;
}

bool bus_publish(struct bus *bus, const char *subject, const char *reply, const void *data, size_t len)
{
    size_t subject_len = strlen(subject) + 1, reply_len = reply ? strlen(reply) + 1 : 0;
    struct outgoing *out;
    bool room;

    if (!bus)
        return false;
    out = malloc(sizeof *out + len + subject_len + reply_len);
    if (!out)
        abort();
    out->next = NULL;
    out->len = len;
    out->bytes = sizeof *out + len + subject_len + reply_len;
    memcpy(out->data, data, len);
    out->subject = memcpy(out->data + len, subject, subject_len);
    out->reply = reply ? memcpy(out->data + len + subject_len, reply, reply_len) : NULL;
    pthread_mutex_lock(&bus->lock);
    room = bus->connected && bus->stats.queued_bytes + out->bytes <= bus->o.max_queued_bytes;
    if (room) {
        *bus->out_last = out;
        bus->out_last = &out->next;
        bus->stats.queued_bytes += out->bytes;
        pthread_cond_signal(&bus->some);
    } else {
        bus->stats.refused++;
    }
    pthread_mutex_unlock(&bus->lock);
    if (!room)
        free(out);
    return room;
}

static struct bus *volatile left; /* still reachable, for those who look for leaks */

static void free_wake(uv_handle_t *handle)
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
    pthread_cond_signal(&bus->some);
    pthread_mutex_unlock(&bus->lock);
    pthread_join(bus->thread, NULL);
    pthread_mutex_lock(&bus->lock);
    bus->wake->data = NULL;
    uv_close((uv_handle_t *)bus->wake, free_wake);
    for (in = bus->in_first; in; in = next) {
        next = in->next;
        natsMsg_Destroy(in->msg);
        free(in);
    }
    bus->in_first = NULL;
    drop_outgoing(bus);
    pthread_mutex_unlock(&bus->lock);
    /* What is left stays for callbacks that are still under way. The library is not closed: it would clean OpenSSL up
     * under everybody else who uses it, and one bus is all that a process has. */
    left = bus;
}

struct bus_stats bus_stats(struct bus *bus)
{
    struct bus_stats stats;

    pthread_mutex_lock(&bus->lock);
    stats = bus->stats;
    pthread_mutex_unlock(&bus->lock);
    return stats;
}
