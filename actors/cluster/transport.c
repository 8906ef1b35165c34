/* Envelopes: messages to the actors of other nodes and back.
 *
 *   tell, ask ─▶ which node? ─▶ encoded, in parts when large ─▶ bus          bus ─▶ parts together ─▶ decoded ─▶ told
 *                                                                                                  ╲ or asked: the
 *   the asker's ending ◀──────────────────── the answer's envelope ◀───────────────────────────────── answer goes back
 *
 * Between two nodes there is one connection each and one subject, so order is kept; ids that do not grow are
 * duplicates. Nothing is repeated: at most once, like in a process.
 */
#include "actors/cluster/peers.h"

#include "actors/cluster/peer_messages.h"
#include "actors/cluster/wire.h"
#include "core/base/log.h"
#include "core/base/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = 1, PARTS_MAX = 4096, PEERS_MAX = 1024, REFUSAL_LOG_MS = 10000 };

static struct metric unknown_types = {.name = "kith_cluster_undecodable_total",
                                      .help = "Messages of nodes that this version does not understand."};
static struct metric refused = {.name = "kith_cluster_refused_total",
                                .help = "Messages of peers that no peer may send to that actor, or answer with."};
static struct metric duplicates = {.name = "kith_cluster_duplicates_total", .help = "Messages that came twice."};

struct foreign { /* an ask of another node, under way here */
    char node[NODE_BYTES];
    uint64_t correlation;
};

static char *as_text(const char *text)
{
    return (char *)(uintptr_t)(text ? text : "");
}

/* --- out --- */

static int publish(struct actor *self, const char *subject, Kith__V1__Envelope *e)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    uint8_t *bytes;
    size_t len;
    bool sent;

    e->version = FORMAT;
    e->id = ++c->next_id;
    e->node = as_text(config->node);
    e->boot = config->boot;
    len = kith__v1__envelope__get_packed_size(e);
    bytes = malloc(len + 1);
    if (!bytes)
        abort();
    kith__v1__envelope__pack(e, bytes);
    sent = bus_publish(*config->bus, subject, NULL, bytes, len);
    free(bytes);
    return sent ? ACTOR_OK : ACTOR_FULL;
}

/* A body as large as it may be goes whole; a larger one in parts that follow each other. */
static int send_body(struct actor *self, const char *node, Kith__V1__Envelope *e, const struct buf *body)
{
    const struct cluster_config *config = actor_config(self);
    size_t parts = (body->len + config->max_message - 1) / config->max_message;
    char subject[192];
    int status = ACTOR_OK;

    snprintf(subject, sizeof subject, "%s.node.%s", config->prefix, node);
    if (parts <= 1) {
        e->body = (ProtobufCBinaryData){.data = (uint8_t *)body->data, .len = body->len};
        return publish(self, subject, e);
    }
    if (parts > PARTS_MAX)
        return ACTOR_FULL;
    e->parts = (uint32_t)parts;
    for (size_t i = 0; i < parts && status == ACTOR_OK; i++) {
        size_t at = i * config->max_message;

        e->part = (uint32_t)i;
        e->body =
            (ProtobufCBinaryData){.data = (uint8_t *)body->data + at,
                                  .len = body->len - at < config->max_message ? body->len - at : config->max_message};
        status = publish(self, subject, e);
    }
    return status;
}

static int send_to_node(struct actor *self, const char *node, const char *from, const char *name, const struct msg *m,
                        uint64_t ask, uint64_t timeout_ms)
{
    Kith__V1__Envelope e = KITH__V1__ENVELOPE__INIT;
    struct buf body = {0};
    int status = ACTOR_FAILED;

    e.type = wire_encode(m, &body);
    e.from = as_text(from);
    e.to = as_text(name);
    e.correlation = ask;
    e.budget_ms = timeout_ms;
    if (e.type)
        status = send_body(self, node, &e, &body);
    buf_free(&body);
    return status;
}

static void remember_ask(struct cluster *c, uint64_t ask, uint32_t type, const char *node)
{
    struct remote_ask *r = calloc(1, sizeof *r);

    if (!r)
        abort();
    r->ask = ask;
    r->type = type;
    snprintf(r->node, sizeof r->node, "%s", node);
    HASH_ADD(hh, c->asks, ask, sizeof r->ask, r);
}

/* How much one would like to ask this one: a recogniser that rests, or has no worker, only when there is no other. */
static int rank(uint32_t breaker, uint32_t ready)
{
    return breaker == BREAKER_CLOSED && ready > 0 ? 2 : 1;
}

/* The node to ask: those of the best rank in turn. "" is this node; NULL: none has it. */
static const char *pick(struct actor *self, const char *name)
{
    struct cluster *c = actor_state(self);
    const char *best = NULL;
    int best_rank = 0;
    uint32_t seen = 0;

    c->turn++;
    if (actor_find(actor_system_of(self), name)) {
        best = "";
        best_rank = rank((uint32_t)c->breaker.state, (uint32_t)c->capacity.ready);
        seen = 1;
    }
    for (struct peer_node *p = c->peers; p; p = p->hh.next) {
        int r;

        if (!peer_has(p, name) || p->presence->leaving)
            continue;
        r = rank(p->presence->breaker, p->presence->ready);
        if (r > best_rank) {
            best = p->name;
            best_rank = r;
            seen = 1;
        } else if (r == best_rank && c->turn % ++seen == 0) {
            best = p->name;
        }
    }
    return best;
}

static int send_to_one(struct actor *self, struct actor *sender, const char *node, const char *name, struct msg *m,
                       uint64_t ask, uint64_t timeout_ms)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    struct peer_node *peer;
    int status;

    if (!node[0] || strcmp(node, config->node) == 0)
        return actor_system_deliver(actor_system_of(self), sender, name, m, ask);
    HASH_FIND_STR(c->peers, node, peer);
    status = peer ? send_to_node(self, node, actor_name(sender), name, m, ask, timeout_ms) : ACTOR_GONE;
    if (status == ACTOR_OK && ask)
        remember_ask(c, ask, m->type, node);
    msg_unref(m);
    return status;
}

static int send_to_all(struct actor *self, struct actor *sender, const char *name, struct msg *m)
{
    struct cluster *c = actor_state(self);
    int status = actor_system_deliver(actor_system_of(self), sender, name, msg_ref(m), 0);

    for (struct peer_node *p = c->peers; p; p = p->hh.next)
        if (peer_has(p, name) && send_to_node(self, p->name, actor_name(sender), name, m, 0, 0) == ACTOR_OK)
            status = ACTOR_OK;
    msg_unref(m);
    return status;
}

int cluster_send(void *context, struct actor *sender, const char *to, struct msg *m, uint64_t ask, uint64_t timeout_ms)
{
    struct actor *self = context;
    const char *at = strchr(to, '@'), *node = at + 1;
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)(at - to), to);
    if (strcmp(node, "**") == 0)
        return send_to_all(self, sender, name, m);
    if (strcmp(node, "*") == 0 && !(node = pick(self, name))) {
        msg_unref(m);
        return ACTOR_GONE;
    }
    return send_to_one(self, sender, node, name, m, ask, timeout_ms);
}

void cluster_say(struct actor *self, const char *subject, uint32_t type, const void *body, size_t len)
{
    Kith__V1__Envelope e = KITH__V1__ENVELOPE__INIT;

    e.type = type;
    e.from = as_text("cluster");
    e.body = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)body, .len = len};
    publish(self, subject, &e); /* the next beat says it again */
}

/* --- in --- */

static void answer(struct actor *self, struct foreign *f, int status, const struct msg *reply)
{
    Kith__V1__Envelope e = KITH__V1__ENVELOPE__INIT;
    struct buf body = {0};

    e.from = as_text("");
    e.to = as_text("");
    e.answer = true;
    e.correlation = f->correlation;
    e.status = status;
    if (status == ACTOR_OK && !(e.type = wire_encode(reply, &body)))
        e.status = ACTOR_FAILED;
    send_body(self, f->node, &e, &body); /* one that cannot be sent ends by its asker's deadline */
    buf_free(&body);
    free(f);
}

static void on_local_reply(struct actor *self, void *context, int status, const struct msg *reply)
{
    answer(self, context, status, reply);
}

/* Counts a message that peer_messages.c does not list. Logs at most one line in REFUSAL_LOG_MS. */
static void transport_refuse(struct actor *self, const char *actor, const Kith__V1__Envelope *e)
{
    struct cluster *c = actor_state(self);
    uint64_t now = actor_now_ms(self);

    metric_add(&refused, 1);
    if (c->refusal_logged_ms && now - c->refusal_logged_ms < REFUSAL_LOG_MS) {
        c->refusals_unlogged++;
        return;
    }
    log_event(LOG_WARN, "message refused", LOG_STR("actor", actor), LOG_INT("type", e->type), LOG_STR("node", e->node),
              LOG_INT("unlogged", (int64_t)c->refusals_unlogged));
    c->refusal_logged_ms = now ? now : 1;
    c->refusals_unlogged = 0;
}

static void on_ask_or_tell(struct actor *self, const Kith__V1__Envelope *e, const void *body, size_t len)
{
    struct msg *m = wire_decode(e->type, body, len);
    struct foreign *f = NULL;

    if (e->correlation) {
        f = calloc(1, sizeof *f);
        if (!f)
            abort();
        snprintf(f->node, sizeof f->node, "%s", e->node);
        f->correlation = e->correlation;
    }
    if (!m || strchr(e->to, '@')) {
        metric_add(&unknown_types, 1);
        log_event(LOG_WARN, "message not understood", LOG_STR("node", e->node), LOG_INT("type", e->type),
                  LOG_STR("to", e->to));
        msg_unref(m);
        if (f)
            answer(self, f, ACTOR_FAILED, NULL);
    } else if (!peer_message_allowed(e->to, m->type, f != NULL)) {
        transport_refuse(self, e->to, e);
        msg_unref(m);
        if (f)
            answer(self, f, ACTOR_REFUSED, NULL);
    } else if (f) {
        actor_ask(self, e->to, m, e->budget_ms, on_local_reply, f);
    } else {
        actor_tell(self, e->to, m);
    }
}

static void on_answer(struct actor *self, const Kith__V1__Envelope *e, const void *body, size_t len)
{
    struct cluster *c = actor_state(self);
    struct remote_ask *r;
    uint64_t ask = e->correlation;
    struct msg *m = e->status == ACTOR_OK ? wire_decode(e->type, body, len) : NULL;

    HASH_FIND(hh, c->asks, &ask, sizeof ask, r);
    if (!r || strcmp(r->node, e->node) != 0) { /* ended meanwhile, or not asked of that one */
        msg_unref(m);
        return;
    }
    if (m && !peer_reply_allowed(r->type, m->type)) {
        transport_refuse(self, "", e);
        msg_unref(m);
        m = NULL;
    }
    HASH_DEL(c->asks, r);
    free(r);
    actor_system_end_ask(actor_system_of(self), ask, m ? ACTOR_OK : e->status ? e->status : ACTOR_FAILED, m);
}

static bool is_beat(const Kith__V1__Envelope *e)
{
    return e->type == KITH__V1__TYPE__TYPE_PRESENCE || e->type == KITH__V1__TYPE__TYPE_LEAVING;
}

static void handle(struct actor *self, struct peer_node *peer, const Kith__V1__Envelope *e, const void *body,
                   size_t len)
{
    if (is_beat(e))
        cluster_on_presence(self, peer, body, len, e->type == KITH__V1__TYPE__TYPE_LEAVING);
    else if (e->answer)
        on_answer(self, e, body, len);
    else
        on_ask_or_tell(self, e, body, len);
}

/* Parts of one body follow each other; anything else drops what was begun. True when the body is whole. */
static bool put_together(struct actor *self, struct peer_node *peer, const Kith__V1__Envelope *e)
{
    const struct cluster_config *config = actor_config(self);
    struct part_list *p = &peer->parts;

    if (e->part == 0) {
        buf_free(&p->body);
        *p = (struct part_list){.correlation = e->correlation, .type = e->type, .parts = e->parts};
    }
    if (e->part != p->next || e->parts != p->parts || e->type != p->type || e->correlation != p->correlation ||
        e->parts > PARTS_MAX || p->body.len + e->body.len > config->max_body) {
        buf_free(&p->body);
        *p = (struct part_list){0};
        return false;
    }
    buf_add(&p->body, e->body.data, e->body.len);
    return ++p->next == p->parts;
}

/* NULL: there are too many already. */
static struct peer_node *peer_of(struct cluster *c, const Kith__V1__Envelope *e)
{
    struct peer_node *p;

    HASH_FIND_STR(c->peers, e->node, p);
    if (!p && HASH_COUNT(c->peers) >= PEERS_MAX)
        return NULL;
    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p)
            abort();
        snprintf(p->name, sizeof p->name, "%s", e->node);
        HASH_ADD_STR(c->peers, name, p);
    }
    if (p->boot != e->boot) { /* another run of it: its ids begin anew */
        p->boot = e->boot;
        p->last_id = p->last_beat = 0;
    }
    return p;
}

static bool is_node_name(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n < NODE_BYTES && strspn(name, NODE_LETTERS) == n;
}

static void take(struct actor *self, const Kith__V1__Envelope *e)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    struct peer_node *peer;
    uint64_t *last;

    if (!is_node_name(e->node) || e->version != FORMAT) {
        metric_add(&unknown_types, 1);
        return;
    }
    if (strcmp(e->node, config->node) == 0) { /* our own words come back; another's under our name are news */
        if (e->boot != config->boot && e->type == KITH__V1__TYPE__TYPE_PRESENCE)
            cluster_on_presence(self, NULL, e->body.data, e->body.len, false);
        return;
    }
    if (!(peer = peer_of(c, e))) {
        metric_add(&unknown_types, 1);
        return;
    }
    last = is_beat(e) ? &peer->last_beat : &peer->last_id;
    if (e->id <= *last) {
        metric_add(&duplicates, 1);
        return;
    }
    *last = e->id;
    peer->seen_ms = actor_now_ms(self); /* whatever it says, it is there */
    if (e->parts == 0)
        handle(self, peer, e, e->body.data, e->body.len);
    else if (put_together(self, peer, e)) {
        struct buf body = peer->parts.body;

        peer->parts = (struct part_list){0};
        handle(self, peer, e, body.data, body.len);
        buf_free(&body);
    }
}

void cluster_link_start(void)
{
    metric_register(&unknown_types);
    metric_register(&duplicates);
    metric_register(&refused);
}

void cluster_receive(struct actor *self, const struct msg_bus *m)
{
    Kith__V1__Envelope *e = kith__v1__envelope__unpack(NULL, m->len, m->data);

    if (e)
        take(self, e);
    else
        metric_add(&unknown_types, 1);
    kith__v1__envelope__free_unpacked(e, NULL);
}

/* The node has gone: what it was asked ends now, for nobody will answer. Those that ended by themselves are forgotten.
 */
void cluster_end_asks_of(struct actor *self, const char *node)
{
    struct cluster *c = actor_state(self);
    struct remote_ask *r, *next;

    HASH_ITER(hh, c->asks, r, next)
    {
        bool waits = actor_system_ask_waits(actor_system_of(self), r->ask);

        if (waits && (!node || strcmp(r->node, node) != 0))
            continue;
        HASH_DEL(c->asks, r);
        if (waits)
            actor_system_end_ask(actor_system_of(self), r->ask, ACTOR_GONE, NULL);
        free(r);
    }
}
