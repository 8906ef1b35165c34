/* Who is there: every node says once a beat that it is, what it can do and how it fares; one that has been silent too
 * long is gone, and what it was asked ends. `GET /v1/nodes` shows what is known.
 *
 *   start, beat ─▶ PRESENCE on PREFIX.presence ─▶ all nodes: a peer, with its actors, roles, workers, breaker
 *   stopping    ─▶ LEAVING: asked nothing new
 *
 * A node without recognisers of its own tells its processor of the others' as if they were its own.
 */
#include "actors/cluster/cluster.h"

#include "actors/api/json_records.h"
#include "actors/cluster/peers.h"
#include "actors/cluster/wire.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMER_BEAT = 1, ACTORS_MAX = 48, NEW_MS = 15000 };

static struct metric nodes = {.name = "kith_cluster_nodes", .help = "Nodes that are there.", .kind = METRIC_GAUGE};
static struct metric queued_gauge = {
    .name = "kith_bus_queued_bytes", .help = "Bytes that wait for the bus.", .kind = METRIC_GAUGE};
static struct metric bus_refused = {.name = "kith_bus_refused_total",
                                    .help = "Messages the bus did not take: away, or KITH_NATS_BUFFER was full."};
static struct metric connected_gauge = {
    .name = "kith_bus_connected", .help = "1 while there is a connection to the bus.", .kind = METRIC_GAUGE};

void cluster_subjects(struct arena *arena, const char *prefix, const char *node, const char **list)
{
    list[0] = arena_printf(arena, "%s.presence", prefix);
    list[1] = arena_printf(arena, "%s.node.%s", prefix, node);
    list[2] = NULL;
}

/* --- speaking --- */

struct actor_list {
    Kith__V1__Actor actors[ACTORS_MAX], *pointers[ACTORS_MAX];
    size_t count;
};

static void add_actor(void *context, const struct actor_stats *s)
{
    struct actor_list *l = context;
    Kith__V1__Actor *a = &l->actors[l->count];

    if (l->count == ACTORS_MAX)
        return;
    kith__v1__actor__init(a);
    a->name = (char *)(uintptr_t)s->name;
    a->depth = s->depth;
    a->handled = s->handled;
    a->refused = s->refused;
    a->restarts = s->restarts;
    l->pointers[l->count++] = a;
}

static void fill_presence(struct actor *self, Kith__V1__Presence *p, struct actor_list *l)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);

    l->count = 0;
    actor_system_each(actor_system_of(self), add_actor, l);
    p->version = (char *)(uintptr_t)config->version;
    p->roles = (char *)(uintptr_t)config->roles;
    p->api = (char *)(uintptr_t)(*config->api ? *config->api : "");
    p->workers = (uint32_t)c->capacity.workers;
    p->ready = (uint32_t)c->capacity.ready;
    p->breaker = (uint32_t)c->breaker.state;
    p->started_ms = c->started_ms;
    p->leaving = c->leaving;
    p->actors = l->pointers;
    p->n_actors = l->count;
}

static void say_presence(struct actor *self)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    Kith__V1__Presence p = KITH__V1__PRESENCE__INIT;
    struct actor_list l;
    uint8_t body[6144];
    char subject[128];

    if (!c->connected)
        return;
    fill_presence(self, &p, &l);
    if (kith__v1__presence__get_packed_size(&p) > sizeof body)
        return;
    snprintf(subject, sizeof subject, "%s.presence", config->prefix);
    cluster_say(self, subject, c->leaving ? KITH__V1__TYPE__TYPE_LEAVING : KITH__V1__TYPE__TYPE_PRESENCE, body,
                kith__v1__presence__pack(&p, body));
}

/* --- hearing --- */

bool peer_has(const struct peer_node *peer, const char *actor)
{
    for (size_t i = 0; peer->presence && i < peer->presence->n_actors; i++)
        if (strcmp(peer->presence->actors[i]->name, actor) == 0)
            return true;
    return false;
}

/* The recognisers of all others together, for a processor that has none beside it. */
static void tell_of_others(struct actor *self)
{
    static const char *const listeners[] = {"processor", "health", NULL};
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    int workers = 0, ready = 0;

    if (config->recognizes)
        return;
    for (struct peer_node *p = c->peers; p; p = p->hh.next) {
        if (!peer_has(p, "recognizer") || p->presence->leaving)
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

static void forget(struct actor *self, struct peer_node *peer, const char *why)
{
    struct cluster *c = actor_state(self);
    char name[sizeof peer->name];

    memcpy(name, peer->name, sizeof name);
    if (peer->presence) /* one that said so and had its time to answer is no news */
        log_event(peer->presence->leaving ? LOG_INFO : LOG_WARN, "node gone", LOG_STR("node", name),
                  LOG_STR("reason", why));
    HASH_DEL(c->peers, peer);
    kith__v1__presence__free_unpacked(peer->presence, NULL);
    buf_free(&peer->parts.body);
    free(peer);
    cluster_end_asks_of(self, name);
}

/* Somebody else speaks under our name. Who came later goes; who has been here long only says so. */
static void on_duplicate_name(struct actor *self, const Kith__V1__Presence *p)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    char words[256];

    snprintf(words, sizeof words,
             "KITH_NODE: another node called “%s” is alive (its interface: %s); give this one a name of "
             "its own",
             config->node, p->api);
    if (p->started_ms <= c->started_ms && (uint64_t)clock_wall_ms() - c->started_ms < NEW_MS)
        config->give_up(config->context, words);
    else
        log_event(LOG_ERROR, "duplicate node name", LOG_STR("reason", words));
}

void cluster_on_presence(struct actor *self, struct peer_node *peer, const void *body, size_t len, bool leaving)
{
    struct cluster *c = actor_state(self);
    Kith__V1__Presence *p = kith__v1__presence__unpack(NULL, len, body);
    bool fresh;

    if (!p)
        return;
    if (!peer) {
        on_duplicate_name(self, p);
        kith__v1__presence__free_unpacked(p, NULL);
        return;
    }
    fresh = !peer->presence;
    p->leaving |= leaving;
    if (p->leaving && (fresh || !peer->presence->leaving))
        log_event(LOG_INFO, "node leaving", LOG_STR("node", peer->name));
    kith__v1__presence__free_unpacked(peer->presence, NULL);
    peer->presence = p;
    peer->seen_ms = actor_now_ms(self);
    if (fresh && !p->leaving && !c->leaving) {
        log_event(LOG_INFO, "node here", LOG_STR("node", peer->name), LOG_STR("roles", p->roles),
                  LOG_STR("version", p->version), LOG_STR("api", p->api));
        say_presence(self); /* it need not wait for our next beat */
    }
    metric_set(&nodes, (int64_t)HASH_COUNT(c->peers) + 1);
    tell_of_others(self);
}

static void look_for_silent(struct actor *self)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    struct peer_node *p, *next;

    HASH_ITER(hh, c->peers, p, next)
    {
        if (actor_now_ms(self) - p->seen_ms > config->timeout_ms)
            forget(self, p, "nothing was heard of it");
    }
    metric_set(&nodes, (int64_t)HASH_COUNT(c->peers) + 1);
    cluster_end_asks_of(self, NULL);
    tell_of_others(self);
}

static void on_bus_state(struct actor *self, const struct msg_bus_state *m)
{
    struct cluster *c = actor_state(self);

    metric_set(&connected_gauge, m->connected);
    if (m->connected != c->connected || !c->bus_known)
        log_event(m->connected ? LOG_INFO : LOG_WARN, m->connected ? "bus connected" : "bus away",
                  LOG_STR("reason", m->words[0] ? m->words : NULL));
    c->bus_known = true;
    c->connected = m->connected;
    say_presence(self);
}

/* --- showing --- */

static void write_node(struct buf *out, const char *name, const Kith__V1__Presence *p, bool self, uint64_t silent_ms)
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
        buf_str(out, i ? ",{\"name\":" : "{\"name\":");
        buf_json(out, p->actors[i]->name);
        buf_printf(out, ",\"mailbox\":%u,\"handled\":%llu,\"refused\":%llu,\"restarts\":%llu}", p->actors[i]->depth,
                   (unsigned long long)p->actors[i]->handled, (unsigned long long)p->actors[i]->refused,
                   (unsigned long long)p->actors[i]->restarts);
    }
    buf_str(out, "]}");
}

static void on_http(struct actor *self, struct http_request *request)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    Kith__V1__Presence own = KITH__V1__PRESENCE__INIT;
    struct actor_list l;
    struct buf out = {0};

    fill_presence(self, &own, &l);
    buf_printf(&out, "{\"bus\":%s,\"nodes\":[",
               !*config->bus  ? "\"none\""
               : c->connected ? "\"connected\""
                              : "\"away\"");
    write_node(&out, config->node, &own, true, 0);
    for (struct peer_node *p = c->peers; p; p = p->hh.next)
        if (p->presence) {
            buf_str(&out, ",");
            write_node(&out, p->name, p->presence, false, actor_now_ms(self) - p->seen_ms);
        }
    buf_str(&out, "]}");
    reply_json(request, 200, &out);
}

/* --- the actor --- */

static int cluster_start(struct actor *self)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    struct actor_remote remote = {.send = cluster_send, .context = self};

#ifdef KITH_SANITIZED
    remote.as_if_remote = wire_copy;
#endif
    cluster_link_start();
    metric_register(&nodes);
    metric_register(&connected_gauge);
    metric_register(&queued_gauge);
    metric_register(&bus_refused);
    metric_set(&nodes, 1);
    c->started_ms = (uint64_t)clock_wall_ms();
    c->next_id = c->started_ms << 20; /* a restarted actor's ids go on growing */
    c->told_ready = -1;
    actor_system_set_remote(actor_system_of(self), &remote);
    actor_after(self, config->beat_ms, TIMER_BEAT);
    msg_tell(self, "recognizer", MSG_SEND_STATE); /* on a restart they do not tell it by themselves */
    msg_tell(self, "breaker", MSG_SEND_STATE);
    return 0;
}

static void cluster_handle(struct actor *self, const struct msg *m)
{
    struct cluster *c = actor_state(self);

    switch (m->type) {
    case MSG_BUS:
        cluster_receive(self, (const struct msg_bus *)m);
        break;
    case MSG_BUS_STATE:
        on_bus_state(self, (const struct msg_bus_state *)m);
        break;
    case MSG_CAPACITY:
        c->capacity = *(const struct msg_capacity *)m;
        say_presence(self);
        break;
    case MSG_BREAKER:
        c->breaker = *(const struct msg_breaker *)m;
        say_presence(self);
        break;
    case MSG_HTTP:
        on_http(self, ((const struct msg_http *)m)->request);
        break;
    case MSG_SEND_STATE:
        c->told_ready = -1;
        tell_of_others(self);
        break;
    case MSG_STOPPING:
        c->leaving = true;
        say_presence(self);
        break;
    }
}

static void cluster_timer(struct actor *self, uint32_t timer)
{
    const struct cluster_config *config = actor_config(self);

    (void)timer;
    actor_after(self, config->beat_ms, TIMER_BEAT);
    if (*config->bus) {
        struct bus_stats stats = bus_stats(*config->bus);

        metric_set(&queued_gauge, (int64_t)stats.queued_bytes);
        metric_set(&bus_refused, (int64_t)stats.refused);
    }
    say_presence(self);
    look_for_silent(self);
}

static void cluster_stop(struct actor *self)
{
    struct cluster *c = actor_state(self);
    struct peer_node *p, *next;

    actor_system_set_remote(actor_system_of(self), &(struct actor_remote){0});
    HASH_ITER(hh, c->peers, p, next)
    {
        HASH_DEL(c->peers, p);
        kith__v1__presence__free_unpacked(p->presence, NULL);
        buf_free(&p->parts.body);
        free(p);
    }
    struct remote_ask *r, *after;

    HASH_ITER(hh, c->asks, r, after)
    {
        HASH_DEL(c->asks, r);
        free(r);
    }
}

static const uint32_t cluster_accepts[] = {MSG_BUS,  MSG_BUS_STATE, MSG_CAPACITY,   MSG_BREAKER,
                                           MSG_HTTP, MSG_STOPPING,  MSG_SEND_STATE, 0};

const struct actor_ops cluster_actor = {
    .name = "cluster",
    .state_size = sizeof(struct cluster),
    .start = cluster_start,
    .accepts = cluster_accepts,
    .receive = cluster_handle,
    .timer = cluster_timer,
    .stop = cluster_stop,
};
