/*   tell, ask ─▶ choose the node ─▶ encode ─▶ transport          transport ─▶ decode ─▶ allowed? ─▶ tell
 *                                                                                            ╲─▶ ask
 *   end of the ask ◀──────────────────── envelope of the answer ◀───────────────────────────────── its answer
 */
#include "actors/cluster/remote_calls.h"

#include "actors/cluster/cluster_internal.h"
#include "actors/cluster/envelope.h"
#include "actors/cluster/peer_messages.h"
#include "actors/cluster/transport.h"
#include "actors/cluster/wire.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"
#include "core/base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFUSAL_LOG_MS = 10000 };

struct remote_ask { /* an ask of this node that a peer has */
    uint64_t ask;
    uint32_t type; /* of the message that was asked: it decides which answers are accepted */
    char node[NODE_BYTES];
    UT_hash_handle hh;
};

struct peer_ask { /* an ask of a peer that an actor of this node has */
    char node[NODE_BYTES];
    uint64_t correlation;
};

static struct metric refused = {.name = "kith_cluster_refused_total",
                                .help = "Messages of peers that no peer may send to that actor, or answer with."};

void remote_calls_register_metrics(void)
{
    metric_register(&refused);
}

static struct remote_calls *remote_calls_of(struct actor *self)
{
    return &((struct cluster *)actor_state(self))->calls;
}

/* --- out --- */

static void remote_calls_remember(struct remote_calls *calls, uint64_t ask, uint32_t type, const char *node)
{
    struct remote_ask *r = calloc(1, sizeof *r);

    if (!r)
        out_of_memory();
    r->ask = ask;
    r->type = type;
    snprintf(r->node, sizeof r->node, "%s", node);
    HASH_ADD(hh, calls->asks, ask, sizeof r->ask, r);
}

static void remote_calls_forget(struct remote_calls *calls, struct remote_ask *r)
{
    HASH_DEL(calls->asks, r);
    free(r);
}

static int remote_calls_send_to_node(struct actor *self, const char *node, const char *from, const char *name,
                                     const struct msg *m, uint64_t ask, uint64_t timeout_ms)
{
    Kith__V1__Envelope e = KITH__V1__ENVELOPE__INIT;
    struct buf body = {0};
    int status = ACTOR_FAILED;

    e.type = wire_encode(m, &body);
    e.from = envelope_text(from);
    e.to = envelope_text(name);
    e.correlation = ask;
    e.budget_ms = timeout_ms;
    if (e.type)
        status = transport_send(self, node, &e, &body);
    buf_free(&body);
    return status;
}

/* A recogniser with an open breaker, or without a worker that is ready, is asked only when there is no other. */
static int remote_calls_rank(uint32_t breaker, uint32_t ready)
{
    return breaker == BREAKER_CLOSED && ready > 0 ? 2 : 1;
}

/* The node to ask for `name@*`: the nodes of the best rank take turns. "" is this node; NULL: no node has the actor. */
static const char *remote_calls_choose_node(struct actor *self, const char *name)
{
    struct cluster *c = actor_state(self);
    const char *best = NULL;
    int best_rank = 0;
    uint32_t seen = 0;

    c->calls.turn++;
    if (actor_find(actor_system_of(self), name)) {
        best = "";
        best_rank = remote_calls_rank((uint32_t)c->breaker.state, (uint32_t)c->capacity.ready);
        seen = 1;
    }
    for (struct peer_node *p = c->peers.first; p; p = p->hh.next) {
        int rank;

        if (!peer_accepts_asks(p, name))
            continue;
        rank = remote_calls_rank(p->presence->breaker, p->presence->ready);
        if (rank > best_rank) {
            best = p->name;
            best_rank = rank;
            seen = 1;
        } else if (rank == best_rank && c->calls.turn % ++seen == 0) {
            best = p->name;
        }
    }
    return best;
}

static int remote_calls_send_to_one(struct actor *self, struct actor *sender, const char *node, const char *name,
                                    struct msg *m, uint64_t ask, uint64_t timeout_ms)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    int status = ACTOR_GONE;

    if (!node[0] || strcmp(node, config->node) == 0)
        return actor_system_deliver(actor_system_of(self), sender, name, m, ask);
    if (peers_find(&c->peers, node))
        status = remote_calls_send_to_node(self, node, actor_name(sender), name, m, ask, timeout_ms);
    if (status == ACTOR_OK && ask)
        remote_calls_remember(&c->calls, ask, m->type, node);
    msg_unref(m);
    return status;
}

static int remote_calls_send_to_all(struct actor *self, struct actor *sender, const char *name, struct msg *m)
{
    struct cluster *c = actor_state(self);
    int status = actor_system_deliver(actor_system_of(self), sender, name, msg_ref(m), 0);

    for (struct peer_node *p = c->peers.first; p; p = p->hh.next)
        if (peer_has_actor(p, name) &&
            remote_calls_send_to_node(self, p->name, actor_name(sender), name, m, 0, 0) == ACTOR_OK)
            status = ACTOR_OK;
    msg_unref(m);
    return status;
}

int remote_calls_send(void *context, struct actor *sender, const char *to, struct msg *m, uint64_t ask,
                      uint64_t timeout_ms)
{
    struct actor *self = context;
    const char *at = strchr(to, '@'), *node = at + 1;
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)(at - to), to);
    if (strcmp(node, "**") == 0)
        return remote_calls_send_to_all(self, sender, name, m);
    if (strcmp(node, "*") == 0 && !(node = remote_calls_choose_node(self, name))) {
        msg_unref(m);
        return ACTOR_GONE;
    }
    return remote_calls_send_to_one(self, sender, node, name, m, ask, timeout_ms);
}

/* --- in --- */

/* Takes `ask`. */
static void remote_calls_answer(struct actor *self, struct peer_ask *ask, int status, const struct msg *reply)
{
    Kith__V1__Envelope e = KITH__V1__ENVELOPE__INIT;
    struct buf body = {0};

    e.from = envelope_text("");
    e.to = envelope_text("");
    e.answer = true;
    e.correlation = ask->correlation;
    e.status = status;
    if (status == ACTOR_OK && !(e.type = wire_encode(reply, &body)))
        e.status = ACTOR_FAILED;
    transport_send(self, ask->node, &e, &body); /* an answer that cannot be sent: the asker's deadline ends its ask */
    buf_free(&body);
    free(ask);
}

static void remote_calls_on_local_reply(struct actor *self, void *context, int status, const struct msg *reply)
{
    remote_calls_answer(self, context, status, reply);
}

/* Counts a message that peer_messages.c does not list. Logs at most one line in REFUSAL_LOG_MS. */
static void remote_calls_refuse(struct actor *self, const char *actor, const Kith__V1__Envelope *e)
{
    struct remote_calls *calls = remote_calls_of(self);
    uint64_t now = actor_now_ms(self);

    metric_add(&refused, 1);
    if (calls->refusal_logged_ms && now - calls->refusal_logged_ms < REFUSAL_LOG_MS) {
        calls->refusals_unlogged++;
        return;
    }
    log_event(LOG_WARN, "message refused", LOG_STR("actor", actor), LOG_INT("type", e->type), LOG_STR("node", e->node),
              LOG_INT("unlogged", (int64_t)calls->refusals_unlogged));
    calls->refusal_logged_ms = now ? now : 1;
    calls->refusals_unlogged = 0;
}

static struct peer_ask *remote_calls_new_peer_ask(const Kith__V1__Envelope *e)
{
    struct peer_ask *ask = calloc(1, sizeof *ask);

    if (!ask)
        out_of_memory();
    snprintf(ask->node, sizeof ask->node, "%s", e->node);
    ask->correlation = e->correlation;
    return ask;
}

static void remote_calls_on_message(struct actor *self, const Kith__V1__Envelope *e, struct msg *m)
{
    struct peer_ask *ask = e->correlation ? remote_calls_new_peer_ask(e) : NULL;
    enum envelope_verdict verdict = envelope_check_message(e, m);

    if (verdict == ENVELOPE_UNDECODABLE) {
        transport_count_undecodable();
        log_event(LOG_WARN, "message not understood", LOG_STR("node", e->node), LOG_INT("type", e->type),
                  LOG_STR("to", e->to));
        msg_unref(m);
        if (ask)
            remote_calls_answer(self, ask, ACTOR_FAILED, NULL);
    } else if (verdict == ENVELOPE_REFUSED) {
        remote_calls_refuse(self, e->to, e);
        msg_unref(m);
        if (ask)
            remote_calls_answer(self, ask, ACTOR_REFUSED, NULL);
    } else if (ask) {
        actor_ask(self, e->to, m, e->budget_ms, remote_calls_on_local_reply, ask);
    } else {
        actor_tell(self, e->to, m);
    }
}

static void remote_calls_on_answer(struct actor *self, const Kith__V1__Envelope *e, struct msg *m)
{
    struct remote_calls *calls = remote_calls_of(self);
    struct remote_ask *r;
    uint64_t ask = e->correlation;

    HASH_FIND(hh, calls->asks, &ask, sizeof ask, r);
    if (!r || strcmp(r->node, e->node) != 0) { /* the ask has ended, or another node was asked */
        msg_unref(m);
        return;
    }
    if (m && !peer_reply_allowed(r->type, m->type)) {
        remote_calls_refuse(self, "", e);
        msg_unref(m);
        m = NULL;
    }
    remote_calls_forget(calls, r);
    actor_system_end_ask(actor_system_of(self), ask, m ? ACTOR_OK : e->status ? e->status : ACTOR_FAILED, m);
}

void remote_calls_receive(struct actor *self, const struct received *r)
{
    const Kith__V1__Envelope *e = r->envelope;

    if (e->answer)
        remote_calls_on_answer(self, e, e->status == ACTOR_OK ? wire_decode(e->type, r->body, r->len) : NULL);
    else
        remote_calls_on_message(self, e, wire_decode(e->type, r->body, r->len));
}

void remote_calls_end_lost(struct actor *self)
{
    struct cluster *c = actor_state(self);
    struct actor_system *system = actor_system_of(self);
    struct remote_ask *r, *next;

    HASH_ITER(hh, c->calls.asks, r, next)
    {
        uint64_t ask = r->ask;
        bool waits = actor_system_ask_waits(system, ask);

        if (waits && peers_find(&c->peers, r->node))
            continue;
        remote_calls_forget(&c->calls, r);
        if (waits)
            actor_system_end_ask(system, ask, ACTOR_GONE, NULL);
    }
}

void remote_calls_clear(struct remote_calls *calls)
{
    while (calls->asks)
        remote_calls_forget(calls, calls->asks);
}
