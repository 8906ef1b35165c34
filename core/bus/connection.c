/* The thread of the bus:
 *
 *   CONNECTING ──ok──▶ CONNECTED ──queue──▶ publish
 *       ▲  ╲ refused: wait, longer each time    │ closed by the library, or silent too long
 *       └───────────────────────────────────────┘ connection and subscriptions are made anew
 *
 * libnats 3.4.1 can reconnect, but there are states that it does not leave. It gets RECONNECTS tries; then the
 * connection is replaced. Its callbacks run on its own threads: they only append to a list and wake the loop.
 */
#include "core/bus/bus_internal.h"

#include "core/base/must.h"
#include "core/base/settings/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CONNECT_MS = 2000,
    PING_MS = 1000, /* a server that misses PINGS_MAX answers is lost: noticed within 4 s */
    PINGS_MAX = 2,
    WRITE_MS = 3000,
    RECONNECTS = 3, /* by the library; then the connection is replaced */
    RETRY_MIN_MS = 100,
    RETRY_MAX_MS = 2000
};

static void connection_report(struct bus *bus, bool connected, const char *reason)
{
    struct incoming *in = calloc(1, sizeof *in);

    if (!in)
        out_of_memory();
    in->connected = connected;
    snprintf(in->reason, sizeof in->reason, "%s", reason);
    pthread_mutex_lock(&bus->lock);
    bus->connected = connected;
    bus->stats.connects += connected;
    pthread_mutex_unlock(&bus->lock);
    bus_hand_over(bus, in);
}

/* --- the library's callbacks, on its threads --- */

static void connection_on_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *context)
{
    struct subscription *subscription = context;
    struct bus *bus = subscription->bus;
    struct incoming *in = calloc(1, sizeof *in);

    (void)nc;
    (void)sub;
    if (!in)
        out_of_memory();
    in->msg = msg;
    in->subscription = subscription->index;
    pthread_mutex_lock(&bus->lock);
    bus->stats.received++;
    pthread_mutex_unlock(&bus->lock);
    bus_hand_over(bus, in);
}

static void connection_on_disconnected(natsConnection *nc, void *context)
{
    const char *reason = NULL;

    natsConnection_GetLastError(nc, &reason);
    connection_report(context, false, reason && *reason ? reason : "KITH_NATS: the connection is lost");
}

static void connection_on_reconnected(natsConnection *nc, void *context)
{
    (void)nc;
    connection_report(context, true, "");
}

static void connection_on_closed(natsConnection *nc, void *context)
{
    struct bus *bus = context;

    (void)nc;
    pthread_mutex_lock(&bus->lock);
    bus->lost = true;
    pthread_cond_signal(&bus->changed);
    pthread_mutex_unlock(&bus->lock);
}

/* Slow consumers and the like: a dropped message is a lost message, from which every receiver recovers. */
static void connection_on_error(natsConnection *nc, natsSubscription *sub, natsStatus status, void *context)
{
    (void)nc;
    (void)sub;
    (void)status;
    (void)context;
}

/* --- one connection --- */

static bool connection_option_given(const char *text)
{
    return text && *text;
}

/* The secret of a file may have changed since the last connection. NULL: the file cannot be read. */
static const char *connection_secret(const char *given, const char *file, const char *origin, char text[SECRET_BYTES],
                                     struct error *error)
{
    if (!file)
        return given;
    return secret_read_line(file, origin, text, error) < 0 ? NULL : text;
}

/* The library copies the texts. */
static natsStatus connection_set_secrets(struct bus *bus, natsOptions *o)
{
    char text[SECRET_BYTES];
    const char *secret;
    natsStatus s = NATS_OK;

    if (connection_option_given(bus->o.user)) {
        secret = connection_secret(bus->o.password, bus->o.password_file, "KITH_NATS_PASSWORD_FILE", text, &bus->error);
        s = secret ? natsOptions_SetUserInfo(o, bus->o.user, secret) : NATS_INVALID_ARG;
    }
    if (s == NATS_OK && connection_option_given(bus->o.token)) {
        secret = connection_secret(bus->o.token, bus->o.token_file, "KITH_NATS_TOKEN_FILE", text, &bus->error);
        s = secret ? natsOptions_SetToken(o, secret) : NATS_INVALID_ARG;
    }
    explicit_bzero(text, sizeof text);
    return s;
}

static natsStatus connection_set_options(struct bus *bus, natsOptions *o)
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
    natsOptions_SetMaxPendingMsgs(o, BUS_INCOMING_MAX);
    natsOptions_SetErrorHandler(o, connection_on_error, NULL);
    if (bus->o.on_state) { /* they may come until after the connection was closed */
        natsOptions_SetDisconnectedCB(o, connection_on_disconnected, bus);
        natsOptions_SetReconnectedCB(o, connection_on_reconnected, bus);
        natsOptions_SetClosedCB(o, connection_on_closed, bus);
    }
    if (s == NATS_OK)
        s = connection_set_secrets(bus, o);
    if (s == NATS_OK && connection_option_given(bus->o.creds_file))
        s = natsOptions_SetUserCredentialsFromFiles(o, bus->o.creds_file, NULL);
    if (s == NATS_OK && connection_option_given(bus->o.nkey_seed_file))
        s = natsOptions_SetNKeyFromSeed(o, NULL, bus->o.nkey_seed_file);
    if (s == NATS_OK && connection_option_given(bus->o.ca_file)) {
        s = natsOptions_SetSecure(o, true);
        if (s == NATS_OK)
            s = natsOptions_LoadCATrustedCertificates(o, bus->o.ca_file);
    }
    return s;
}

natsStatus bus_connect(struct bus *bus, natsConnection **nc)
{
    natsOptions *o = NULL;
    natsStatus s = natsOptions_Create(&o);

    if (s == NATS_OK)
        s = connection_set_options(bus, o);
    if (s == NATS_OK)
        s = natsConnection_Connect(nc, o);
    for (int i = 0; s == NATS_OK && bus->o.subjects[i]; i++) {
        struct subscription *subscription = &bus->subscriptions[i];

        *subscription = (struct subscription){.bus = bus, .index = i};
        s = natsConnection_Subscribe(&subscription->handle, *nc, bus->o.subjects[i], connection_on_message,
                                     subscription);
    }
    if (s == NATS_OK) /* the subscriptions are in force before the connection is reported */
        s = natsConnection_FlushTimeout(*nc, CONNECT_MS);
    natsOptions_Destroy(o);
    return s;
}

void bus_disconnect(struct bus *bus, natsConnection *nc)
{
    for (int i = 0; i < BUS_SUBJECTS_MAX; i++) {
        natsSubscription_Destroy(bus->subscriptions[i].handle);
        bus->subscriptions[i].handle = NULL;
    }
    natsConnection_Destroy(nc);
}

/* Waits for a change of the queue or the state, at most `ms`. Called with `lock` held. */
static void connection_wait(struct bus *bus, uint64_t ms)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&bus->changed, &bus->lock, &t);
}

/* Publishes what is queued until the connection is lost or the bus stops. */
static void connection_serve(struct bus *bus, natsConnection *nc)
{
    pthread_mutex_lock(&bus->lock);
    while (!bus->lost && (!bus->stopping || bus->out_first)) { /* when stopping, queued messages are still sent */
        struct outgoing *out = bus->out_first;

        if (!out) {
            connection_wait(bus, 1000);
            continue;
        }
        if (!(bus->out_first = out->next))
            bus->out_last = &bus->out_first;
        pthread_mutex_unlock(&bus->lock);
        /* May wait for the socket. A message that fails is lost. */
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

void *bus_run(void *arg)
{
    struct bus *bus = arg;
    uint64_t retry_ms = RETRY_MIN_MS;
    bool stopping = false;

    while (!stopping) {
        natsConnection *nc = NULL;
        natsStatus s;
        char reason[256];

        pthread_mutex_lock(&bus->lock);
        bus->lost = false;
        pthread_mutex_unlock(&bus->lock);
        bus->error.text[0] = 0;
        s = bus_connect(bus, &nc);
        if (s == NATS_OK) {
            connection_report(bus, true, "");
            retry_ms = RETRY_MIN_MS;
            connection_serve(bus, nc);
        } else {
            if (bus->error.text[0])
                snprintf(reason, sizeof reason, "%.255s", bus->error.text);
            else
                snprintf(reason, sizeof reason, "KITH_NATS%s: %s: %s",
                         s == NATS_CONNECTION_AUTH_FAILED || s == NATS_NOT_PERMITTED
                             ? "_USER, _PASSWORD, _TOKEN or _CREDS"
                             : "",
                         bus->o.servers, natsStatus_GetText(s));
            connection_report(bus, false, reason);
        }
        bus_disconnect(bus, nc);
        pthread_mutex_lock(&bus->lock);
        bus->connected = false;
        bus_drop_outgoing(bus);
        if (!bus->stopping && s != NATS_OK) {
            connection_wait(bus, retry_ms / 2 + (uint64_t)random() % retry_ms);
            retry_ms = retry_ms * 2 < RETRY_MAX_MS ? retry_ms * 2 : RETRY_MAX_MS;
        }
        stopping = bus->stopping;
        pthread_mutex_unlock(&bus->lock);
    }
    return NULL;
}
