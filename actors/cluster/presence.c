/*   start, heartbeat ─▶ PRESENCE on PREFIX.presence ─▶ all nodes: a peer with its actors, roles, workers and breaker
 *   stopping         ─▶ LEAVING: it is asked nothing new
 *
 * A node without recognisers tells its processor the capacity of the peers' recognisers as if they were its own.
 */
#include "actors/cluster/presence.h"

#include "actors/cluster/cluster_internal.h"
#include "actors/cluster/envelope.h"
#include "actors/cluster/transport.h"
#include "core/base/clock.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"

#include <stdio.h>
#include <string.h>

enum { ACTORS_MAX = 48, NEW_NODE_MS = 15000, PRESENCE_BYTES = 6144, WORKERS_MAX = 65536 };

static struct metric nodes = {
    .name = "kith_cluster_nodes", .help = "Nodes of the cluster, with this one.", .kind = METRIC_GAUGE};

struct actor_list {
    Kith__V1__Actor actors[ACTORS_MAX], *pointers[ACTORS_MAX];
    size_t count;
};

static void presence_count_nodes(struct cluster *c)
{
    metric_set(&nodes, (int64_t)peers_count(&c->peers) + 1);
}

void presence_register_metrics(void)
{
    metric_register(&nodes);
    metric_set(&nodes, 1);
}

/* --- out --- */

static void presence_add_actor(void *context, const struct actor_stats *s)
{
    struct actor_list *l = context;
    Kith__V1__Actor *a = &l->actors[l->count];

    if (l->count == ACTORS_MAX)
        return;
    kith__v1__actor__init(a);
    a->name = envelope_text(s->name);
    a->depth = s->depth;
    a->handled = s->handled;
    a->refused = s->refused;
    a->restarts = s->restarts;
    l->pointers[l->count++] = a;
}

static void presence_fill(struct actor *self, Kith__V1__Presence *p, struct actor_list *l)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);

    l->count = 0;
    actor_system_each(actor_system_of(self), presence_add_actor, l);
    p->version = envelope_text(config->version);
    p->roles = envelope_text(config->roles);
    p->api = envelope_text(*config->api);
    p->workers = (uint32_t)c->capacity.workers;
    p->ready = (uint32_t)c->capacity.ready;
    p->breaker = (uint32_t)c->breaker.state;
    p->started_ms = c->started_ms;
    p->leaving = c->leaving;
    p->registered = c->registered;
    p->actors = l->pointers;
    p->n_actors = l->count;
}

void presence_send(struct actor *self)
{
    struct cluster *c = actor_state(self);
    Kith__V1__Presence p = KITH__V1__PRESENCE__INIT;
    struct actor_list l;
    uint8_t body[PRESENCE_BYTES];

    if (!c->connected)
        return;
    presence_fill(self, &p, &l);
    if (kith__v1__presence__get_packed_size(&p) > sizeof body)
        return;
    transport_publish(self, c->leaving ? KITH__V1__TYPE__TYPE_LEAVING : KITH__V1__TYPE__TYPE_PRESENCE, body,
                      kith__v1__presence__pack(&p, body));
}

/* --- in --- */

void presence_tell_capacity(struct actor *self)
{
    static const char *const listeners[] = {"processor", "health", NULL};
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    int workers = 0, ready = 0;

    if (config->recognizes)
        return;
    for (struct peer_node *p = c->peers.first; p; p = p->hh.next) {
        if (!peer_accepts_asks(p, "recognizer"))
            continue;
        workers += (int)p->presence->workers;
        ready += p->presence->breaker == BREAKER_CLOSED ? (int)p->presence->ready : 0;
    }
    if (ready == c->told_ready && workers == c->told_workers)
        return;
    c->told_ready = ready;
    c->told_workers = workers;
    for (const char *const *to = listeners; *to; to++) {
        struct msg_capacity *m = (struct msg_capacity *)msg_new(MSG_CAPACITY, sizeof *m);

        m->workers = workers;
        m->ready = ready;
        snprintf(m->why, sizeof m->why, "no node with the role recognizer is ready");
        actor_tell_control(self, *to, &m->head);
    }
}

/* Two nodes have one name. The younger stops; a node that has run for NEW_NODE_MS only logs the conflict. */
static void presence_on_duplicate_name(struct actor *self, const Kith__V1__Presence *p)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    char text[256];

    snprintf(text, sizeof text,
             "KITH_NODE: another node with the name “%s” is running (its API: %s); give each node its own name",
             config->node, p->api);
    if (p->started_ms <= c->started_ms && (uint64_t)clock_wall_ms() - c->started_ms < NEW_NODE_MS)
        config->give_up(config->context, 2, text);
    else
        log_event(LOG_ERROR, "duplicate node name", LOG_STR("reason", text));
}

/* The sums of all peers' workers must fit an int. */
static uint32_t presence_limit_workers(uint32_t workers)
{
    return workers < WORKERS_MAX ? workers : WORKERS_MAX;
}

static void presence_update_peer(struct actor *self, struct peer_node *peer, Kith__V1__Presence *p)
{
    struct cluster *c = actor_state(self);
    bool fresh = !peer->presence;

    if (p->leaving && (fresh || !peer->presence->leaving))
        log_event(LOG_INFO, "node leaving", LOG_STR("node", peer->name));
    if (peer->presence)
        kith__v1__presence__free_unpacked(peer->presence, NULL);
    peer->presence = p;
    if (!p->registered)
        peer->registered_ms = 0;
    else if (!peer->registered_ms)
        peer->registered_ms = actor_now_ms(self) + 1;
    if (fresh && !p->leaving && !c->leaving) {
        log_event(LOG_INFO, "node here", LOG_STR("node", peer->name), LOG_STR("roles", p->roles),
                  LOG_STR("version", p->version), LOG_STR("api", p->api));
        presence_send(self); /* the new node learns of this one at once */
    }
    presence_count_nodes(c);
    presence_tell_capacity(self);
}

void presence_receive(struct actor *self, const struct received *r)
{
    Kith__V1__Presence *p = kith__v1__presence__unpack(NULL, r->len, r->body);

    if (!p) {
        transport_count_undecodable();
    } else if (!r->peer) {
        presence_on_duplicate_name(self, p);
        kith__v1__presence__free_unpacked(p, NULL);
    } else {
        p->workers = presence_limit_workers(p->workers);
        p->ready = presence_limit_workers(p->ready);
        p->leaving |= r->envelope->type == KITH__V1__TYPE__TYPE_LEAVING;
        presence_update_peer(self, r->peer, p);
    }
}

static void presence_log_gone(const struct peer_node *peer)
{
    if (peer->presence) /* the end of a node that had announced it is not a warning */
        log_event(peer->presence->leaving ? LOG_INFO : LOG_WARN, "node gone", LOG_STR("node", peer->name),
                  LOG_STR("reason", "no heartbeat for KITH_NODE_TIMEOUT"));
}

void presence_remove_silent(struct actor *self)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    struct peer_node *p, *next;

    HASH_ITER(hh, c->peers.first, p, next)
    {
        if (actor_now_ms(self) - p->seen_ms <= config->timeout_ms)
            continue;
        presence_log_gone(p);
        peers_remove(&c->peers, p);
    }
    presence_count_nodes(c);
    presence_tell_capacity(self);
}

/* --- GET /v1/nodes --- */

static void presence_write_node(struct buf *out, const char *name, const Kith__V1__Presence *p, bool self,
                                uint64_t silent_ms)
{
    buf_str(out, "{\"name\":");
    buf_json(out, name);
    buf_printf(out, ",\"self\":%s,\"version\":", self ? "true" : "false");
    buf_json(out, p->version);
    buf_str(out, ",\"roles\":");
    buf_json(out, p->roles);
    buf_str(out, ",\"api\":");
    buf_json(out, p->api);
    buf_printf(out,
               ",\"workers\":%u,\"workers_ready\":%u,\"breaker\":\"%s\",\"leaving\":%s,\"silent_ms\":%llu,\"actors\":[",
               p->workers, p->ready, p->breaker <= BREAKER_PROBING ? breaker_state_name((int)p->breaker) : "?",
               p->leaving ? "true" : "false", (unsigned long long)silent_ms);
    for (size_t i = 0; i < p->n_actors; i++) {
        const Kith__V1__Actor *a = p->actors[i];

        buf_str(out, i ? ",{\"name\":" : "{\"name\":");
        buf_json(out, a->name);
        buf_printf(out, ",\"mailbox\":%u,\"handled\":%llu,\"refused\":%llu,\"restarts\":%llu}", a->depth,
                   (unsigned long long)a->handled, (unsigned long long)a->refused, (unsigned long long)a->restarts);
    }
    buf_str(out, "]}");
}

void presence_write_json(struct actor *self, struct buf *out)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    Kith__V1__Presence own = KITH__V1__PRESENCE__INIT;
    struct actor_list l;

    presence_fill(self, &own, &l);
    buf_str(out, "{\"cluster\":");
    buf_json(out, config->link && config->link->cluster[0] ? config->link->cluster : NULL);
    buf_printf(out, ",\"bus\":\"%s\",\"nodes\":[", !config->link ? "none" : c->connected ? "connected" : "away");
    presence_write_node(out, config->node, &own, true, 0);
    for (struct peer_node *p = c->peers.first; p; p = p->hh.next)
        if (p->presence) {
            buf_str(out, ",");
            presence_write_node(out, p->name, p->presence, false, actor_now_ms(self) - p->seen_ms);
        }
    buf_str(out, "]}");
}
