/* The actor "cluster": wires the files of this folder to messages and timers.
 *
 *   cluster.c ─▶ presence.c ─────┬─▶ transport.c ─▶ envelope.c ─▶ peers.c
 *           ├──▶ remote_calls.c ─┘
 *           └──▶ bus_link.c
 *
 * An arrow is a call. The bus is opened once the store has answered with the id of the cluster.
 */
#include "actors/cluster/cluster.h"

#include "actors/api/json_records.h"
#include "actors/cluster/cluster_internal.h"
#include "actors/cluster/envelope.h"
#include "actors/cluster/presence.h"
#include "actors/cluster/remote_calls.h"
#include "actors/cluster/transport.h"
#include "actors/cluster/wire.h"
#include "core/base/clock.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"

#include <stdio.h>
#include <string.h>

enum { TIMER_HEARTBEAT = 1, IDENTITY_INTERVAL_MS = 5000, IDENTITY_ASK_MS = 30000 };
enum {
    REGISTER_BEATS = 5, /* heartbeats from one writing of this node's row to the next */
    MISSING_MAX = 3     /* reads without the row of a peer: one or two are missing after a restore */
};

static struct metric queued_bytes = {
    .name = "kith_bus_queued_bytes", .help = "Bytes buffered for the bus.", .kind = METRIC_GAUGE};
static struct metric bus_refused = {.name = "kith_bus_refused_total",
                                    .help = "Messages not sent: no connection to the bus, or KITH_NATS_BUFFER full."};
static struct metric connected = {
    .name = "kith_bus_connected", .help = "1 while this node is connected to the bus.", .kind = METRIC_GAUGE};

/* --- the id of the cluster --- */

/* The database names the cluster. A running node whose database is replaced by another cluster's must not go on: what
 * it has in memory belongs to the old one. */
static void cluster_on_identity(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct cluster_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct cluster *c = actor_state(self);
    const char *id;
    char text[192];

    (void)context;
    c->asking_identity = false;
    if (status != ACTOR_OK || r->status != STORE_OK || !bus_link_id_valid(id = r->texts[0]))
        return; /* the next heartbeat asks again */
    c->identity_ms = actor_now_ms(self) + 1;
    if (!config->link->cluster[0]) {
        log_event(LOG_INFO, "cluster", LOG_STR("id", id));
        bus_link_open(config->link, id);
    } else if (strcmp(config->link->cluster, id) != 0) {
        snprintf(text, sizeof text, "KITH_DATABASE: it now holds another cluster: %s instead of %s", id,
                 config->link->cluster);
        config->give_up(config->context, 1, text);
    }
}

static void cluster_ask_identity(struct actor *self)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);

    if (!config->link || c->asking_identity ||
        (c->identity_ms && actor_now_ms(self) - c->identity_ms < IDENTITY_INTERVAL_MS))
        return;
    c->asking_identity = true;
    actor_ask(self, "store", &STORE_MESSAGE(STORE_CLUSTER, store_id)->m.head, IDENTITY_ASK_MS, cluster_on_identity,
              NULL);
}

/* --- copies of the database --- */

static void cluster_tell_copies(struct actor *self)
{
    struct cluster *c = actor_state(self);
    struct msg_count *m;
    uint32_t elsewhere = 0;

    for (const struct peer_node *p = c->peers.first; p; p = p->hh.next)
        elsewhere += p->elsewhere;
    if (elsewhere == c->elsewhere)
        return;
    c->elsewhere = elsewhere;
    m = (struct msg_count *)msg_new(MSG_COPIES, sizeof *m);
    m->count = elsewhere;
    actor_tell_control(self, "health", &m->head);
    presence_tell_capacity(self);
}

/* A copy of the database has the rows of the time when it was made: the row must be written again and again. */
static bool cluster_has_row(struct actor *self, const struct store_reply *r, const struct peer_node *p)
{
    const struct cluster_config *config = actor_config(self);
    const int64_t age_max_ms = (int64_t)(2 * MISSING_MAX * REGISTER_BEATS * config->beat_ms);

    for (int i = 0; i < r->node_count; i++)
        if (r->nodes[i].boot == (int64_t)p->boot && strcmp(r->nodes[i].node, p->name) == 0)
            return r->nodes[i].age_ms <= age_max_ms;
    return false;
}

static void cluster_check_row(struct peer_node *p, bool has_row)
{
    p->row_missing = has_row ? 0 : p->row_missing + 1;
    if (p->elsewhere && has_row) {
        p->elsewhere = false;
        log_event(LOG_INFO, "node on our database again", LOG_STR("node", p->name));
    } else if (!p->elsewhere && p->row_missing >= MISSING_MAX) {
        p->elsewhere = true;
        log_event(LOG_ERROR, "a copy of our database is in use", LOG_STR("node", p->name),
                  LOG_STR("api", p->presence->api),
                  LOG_STR("reason", "the node has the id of our cluster and works on another database (KITH_DATABASE): "
                                    "stop it, or give the copy an id of its own in the table cluster_identity"),
                  LOG_STR("consequence", "it is not asked, and both nodes are not ready"));
    }
}

/* A peer that has said before the read that its row is in its database must be in ours. */
static void cluster_on_registered(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct cluster *c = actor_state(self);

    (void)context;
    c->registering = false;
    c->registered = status == ACTOR_OK && r->status == STORE_OK;
    for (struct peer_node *p = c->peers.first; c->registered && p; p = p->hh.next)
        if (p->presence && p->registered_ms && p->registered_ms <= c->register_ms)
            cluster_check_row(p, cluster_has_row(self, r, p));
    cluster_tell_copies(self);
}

static void cluster_register(struct actor *self)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    struct store_node *m;

    if (!c->connected || c->registering ||
        (c->register_ms && actor_now_ms(self) - c->register_ms < REGISTER_BEATS * config->beat_ms))
        return;
    c->registering = true;
    c->register_ms = actor_now_ms(self) + 1;
    m = STORE_MESSAGE(STORE_REGISTER_NODE, store_node);
    m->node = config->node;
    m->boot = (int64_t)config->boot;
    actor_ask(self, "store", &m->m.head, IDENTITY_ASK_MS, cluster_on_registered, NULL);
}

/* --- messages --- */

static void cluster_on_bus(struct actor *self, const struct msg_bus *m)
{
    struct received r;

    if (!transport_receive(self, m, &r))
        return;
    if (envelope_is_presence(r.envelope))
        presence_receive(self, &r);
    else
        remote_calls_receive(self, &r);
    transport_release(&r);
}

static void cluster_on_bus_state(struct actor *self, const struct msg_bus_state *m)
{
    struct cluster *c = actor_state(self);

    metric_set(&connected, m->connected);
    if (m->connected != c->connected || !c->bus_known)
        log_event(m->connected ? LOG_INFO : LOG_WARN, m->connected ? "bus connected" : "bus away",
                  LOG_STR("reason", m->reason[0] ? m->reason : NULL));
    c->bus_known = true;
    c->connected = m->connected;
    presence_send(self);
}

static void cluster_on_http(struct actor *self, struct http_request *request)
{
    struct buf out = {0};

    presence_write_json(self, &out);
    reply_json(request, 200, &out);
}

static int cluster_start(struct actor *self)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    struct actor_remote remote = {.send = remote_calls_send, .context = self};

#ifdef KITH_SANITIZED
    remote.as_if_remote = wire_copy;
#endif
    transport_register_metrics();
    remote_calls_register_metrics();
    presence_register_metrics();
    metric_register(&connected);
    metric_register(&queued_bytes);
    metric_register(&bus_refused);
    c->started_ms = (uint64_t)clock_wall_ms();
    c->next_id = c->started_ms << 20; /* ids grow over a restart of the actor, too */
    c->told_ready = -1;
    /* on a restart of the actor no change of the bus's state comes */
    c->connected = c->bus_known = config->link && bus_stats(config->link->bus).connected;
    actor_system_set_remote(actor_system_of(self), &remote);
    actor_after(self, config->beat_ms, TIMER_HEARTBEAT);
    msg_tell(self, "recognizer", MSG_SEND_STATE); /* on a restart they do not tell it by themselves */
    msg_tell(self, "breaker", MSG_SEND_STATE);
    cluster_ask_identity(self);
    return 0;
}

static void cluster_receive(struct actor *self, const struct msg *m)
{
    struct cluster *c = actor_state(self);

    switch (m->type) {
    case MSG_BUS:
        cluster_on_bus(self, (const struct msg_bus *)m);
        break;
    case MSG_BUS_STATE:
        cluster_on_bus_state(self, (const struct msg_bus_state *)m);
        break;
    case MSG_CAPACITY:
        c->capacity = *(const struct msg_capacity *)m;
        presence_send(self);
        break;
    case MSG_BREAKER:
        c->breaker = *(const struct msg_breaker *)m;
        presence_send(self);
        break;
    case MSG_HTTP:
        cluster_on_http(self, ((const struct msg_http *)m)->request);
        break;
    case MSG_SEND_STATE:
        c->told_ready = -1;
        c->elsewhere = UINT32_MAX; /* told again, also when there is none */
        cluster_tell_copies(self);
        presence_tell_capacity(self);
        break;
    case MSG_STOPPING:
        c->leaving = true;
        presence_send(self);
        break;
    }
}

static void cluster_timer(struct actor *self, uint32_t timer)
{
    const struct cluster_config *config = actor_config(self);

    (void)timer;
    actor_after(self, config->beat_ms, TIMER_HEARTBEAT);
    cluster_ask_identity(self);
    cluster_register(self);
    if (config->link) {
        struct bus_stats stats = bus_stats(config->link->bus);

        metric_set(&queued_bytes, (int64_t)stats.queued_bytes);
        metric_set(&bus_refused, (int64_t)stats.refused);
    }
    presence_send(self);
    presence_remove_silent(self);
    cluster_tell_copies(self);
    remote_calls_end_lost(self);
}

static void cluster_stop(struct actor *self)
{
    struct cluster *c = actor_state(self);

    actor_system_set_remote(actor_system_of(self), &(struct actor_remote){0});
    peers_clear(&c->peers);
    remote_calls_clear(&c->calls);
}

static const uint32_t cluster_accepts[] = {MSG_BUS,  MSG_BUS_STATE, MSG_CAPACITY,   MSG_BREAKER,
                                           MSG_HTTP, MSG_STOPPING,  MSG_SEND_STATE, 0};

const struct actor_ops cluster_actor = {
    .name = "cluster",
    .state_size = sizeof(struct cluster),
    .start = cluster_start,
    .accepts = cluster_accepts,
    .receive = cluster_receive,
    .timer = cluster_timer,
    .stop = cluster_stop,
};
