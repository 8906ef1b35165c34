/*   transport_send ─▶ in parts when large ─▶ bus ─▶ duplicates dropped ─▶ parts joined ─▶ transport_receive
 *
 * Between two nodes there is one connection each and one subject, so the order of messages is kept; an id that does
 * not grow is a duplicate. Nothing is repeated: delivery is at most once, as in a process.
 */
#include "actors/cluster/transport.h"

#include "actors/cluster/cluster_internal.h"
#include "actors/cluster/envelope.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"
#include "core/base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOREIGN_LOG_MS = 60000 };

static struct metric undecodable = {.name = "kith_cluster_undecodable_total",
                                    .help = "Messages of nodes that this version does not understand."};
static struct metric duplicates = {.name = "kith_cluster_duplicates_total", .help = "Messages received twice."};

static struct metric foreign = {.name = "kith_cluster_foreign_total",
                                .help = "Messages refused because they are of another cluster."};

void transport_register_metrics(void)
{
    metric_register(&foreign);
    metric_register(&undecodable);
    metric_register(&duplicates);
}

void transport_count_undecodable(void)
{
    metric_add(&undecodable, 1);
}

/* --- out --- */

static int transport_put(struct actor *self, const char *subject, Kith__V1__Envelope *e)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    uint8_t *bytes;
    size_t len;
    bool sent;

    e->version = ENVELOPE_FORMAT;
    e->id = ++c->next_id;
    e->node = envelope_text(config->node);
    e->boot = config->boot;
    e->cluster = config->link->cluster;
    len = kith__v1__envelope__get_packed_size(e);
    bytes = malloc(len + 1);
    if (!bytes)
        out_of_memory();
    kith__v1__envelope__pack(e, bytes);
    sent = bus_publish(config->link->bus, subject, NULL, bytes, len);
    free(bytes);
    return sent ? ACTOR_OK : ACTOR_FULL;
}

int transport_send(struct actor *self, const char *node, Kith__V1__Envelope *e, const struct buf *body)
{
    const struct cluster_config *config = actor_config(self);
    size_t parts = (body->len + config->max_message - 1) / config->max_message;
    char subject[192];
    int status = ACTOR_OK;

    snprintf(subject, sizeof subject, "%s.%s.node.%s", config->link->config.prefix, config->link->cluster, node);
    if (parts <= 1) {
        e->body = (ProtobufCBinaryData){.data = (uint8_t *)body->data, .len = body->len};
        return transport_put(self, subject, e);
    }
    if (parts > ENVELOPE_PARTS_MAX)
        return ACTOR_FULL;
    e->parts = (uint32_t)parts;
    for (size_t i = 0; i < parts && status == ACTOR_OK; i++) {
        size_t at = i * config->max_message, left = body->len - at;

        e->part = (uint32_t)i;
        e->body = (ProtobufCBinaryData){.data = (uint8_t *)body->data + at,
                                        .len = left < config->max_message ? left : config->max_message};
        status = transport_put(self, subject, e);
    }
    return status;
}

void transport_publish(struct actor *self, uint32_t type, const void *body, size_t len)
{
    const struct cluster_config *config = actor_config(self);
    Kith__V1__Envelope e = KITH__V1__ENVELOPE__INIT;
    char subject[128];

    snprintf(subject, sizeof subject, "%s.presence", config->link->config.prefix);
    e.type = type;
    e.from = envelope_text("cluster");
    e.body = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)body, .len = len};
    transport_put(self, subject, &e); /* a heartbeat that is lost is repeated by the next one */
}

/* --- in --- */

/* Parts of one body follow each other; anything else drops the parts received so far. True when the body is whole. */
static bool transport_add_part(struct actor *self, struct peer_node *peer, const Kith__V1__Envelope *e)
{
    const struct cluster_config *config = actor_config(self);
    struct part_list *p = &peer->parts;

    if (e->part == 0) {
        buf_free(&p->body);
        *p = (struct part_list){.correlation = e->correlation, .type = e->type, .parts = e->parts};
    }
    if (e->part != p->next || e->parts != p->parts || e->type != p->type || e->correlation != p->correlation ||
        e->parts > ENVELOPE_PARTS_MAX || p->body.len + e->body.len > config->max_body) {
        buf_free(&p->body);
        *p = (struct part_list){0};
        return false;
    }
    buf_add(&p->body, e->body.data, e->body.len);
    return ++p->next == p->parts;
}

/* Another run of this node's name is reported; this run's own messages, which come back, are not. */
static bool transport_is_duplicate_name(struct actor *self, const Kith__V1__Envelope *e)
{
    const struct cluster_config *config = actor_config(self);

    return e->boot != config->boot && e->type == KITH__V1__TYPE__TYPE_PRESENCE;
}

/* Counts an envelope of another cluster. Logs the cluster once, and at most one line in FOREIGN_LOG_MS. */
static void transport_refuse_foreign(struct actor *self, const Kith__V1__Envelope *e)
{
    struct cluster *c = actor_state(self);
    uint64_t now = actor_now_ms(self);

    metric_add(&foreign, 1);
    if (strncmp(c->foreign_logged, e->cluster, sizeof c->foreign_logged - 1) == 0 ||
        (c->foreign_logged_ms && now - c->foreign_logged_ms < FOREIGN_LOG_MS))
        return;
    log_event(LOG_WARN, "another cluster on this NATS", LOG_STR("cluster", e->cluster), LOG_STR("node", e->node),
              LOG_STR("consequence", "it has another database; its messages are refused"));
    snprintf(c->foreign_logged, sizeof c->foreign_logged, "%s", e->cluster);
    c->foreign_logged_ms = now ? now : 1;
}

/* False: dropped, or more parts are needed. */
static bool transport_accept(struct actor *self, struct received *r)
{
    const struct cluster_config *config = actor_config(self);
    struct cluster *c = actor_state(self);
    const Kith__V1__Envelope *e = r->envelope;
    uint64_t *last;

    r->body = e->body.data;
    r->len = e->body.len;
    if (strcmp(e->cluster, config->link->cluster) != 0) {
        transport_refuse_foreign(self, e);
        return false;
    }
    if (strcmp(e->node, config->node) == 0)
        return transport_is_duplicate_name(self, e);
    if (!(r->peer = peers_add(&c->peers, e->node, e->boot))) {
        metric_add(&undecodable, 1);
        return false;
    }
    if (r->peer->elsewhere && !envelope_is_presence(e)) {
        metric_add(&foreign, 1);
        return false;
    }
    last = envelope_is_presence(e) ? &r->peer->last_beat : &r->peer->last_id;
    if (e->id <= *last) {
        metric_add(&duplicates, 1);
        return false;
    }
    *last = e->id;
    r->peer->seen_ms = actor_now_ms(self); /* any message shows that the node is alive */
    if (e->parts == 0)
        return true;
    if (!transport_add_part(self, r->peer, e))
        return false;
    r->parts = r->peer->parts.body;
    r->peer->parts = (struct part_list){0};
    r->body = r->parts.data;
    r->len = r->parts.len;
    return true;
}

bool transport_receive(struct actor *self, const struct msg_bus *m, struct received *r)
{
    *r = (struct received){.envelope = envelope_decode(m->data, m->len)};
    if (!r->envelope) {
        metric_add(&undecodable, 1);
        return false;
    }
    if (transport_accept(self, r))
        return true;
    transport_release(r);
    return false;
}

void transport_release(struct received *r)
{
    envelope_free(r->envelope);
    buf_free(&r->parts);
    *r = (struct received){0};
}
