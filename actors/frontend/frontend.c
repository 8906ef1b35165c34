/* What can be looked at: the list of images, one image, how many there are, whether all is well, the metrics. */
#include "actors/frontend/frontend.h"

#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/page.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "core/actor/system.h"
#include "core/base/metrics.h"

#include <stdio.h>
#include <string.h>

enum { EXPLAINED = 1 }; /* how a call is kept */

struct frontend {
    struct msg_capacity capacity; /* as last told */
    struct msg_breaker breaker;
};

/* --- images --- */

static void on_images(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    struct buf out = {0};

    (void)self;
    if (!reply_failed(call->request, status, reply)) {
        buf_str(&out, "{\"images\":[");
        for (int i = 0; i < r->image_count; i++) {
            buf_str(&out, i ? ",\n" : "");
            json_image(&out, &r->images[i], call->op == EXPLAINED);
        }
        json_next(&out, r->next);
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

/* ?status= is one of the four states, or a verdict; ?person= an id. */
static bool query_filters(struct http_request *request, struct store_list *m)
{
    char text[64], *end;

    m->status = m->verdict = -1;
    if (http_request_query(request, "status", text, sizeof text)) {
        m->status = image_status_from(text);
        if (strcmp(text, "unknown") == 0)
            m->verdict = VERDICT_UNKNOWN;
        else if (m->status < 0) {
            http_problem(request, 400, "wrong-value",
                         "“status” must be pending, processing, processed, failed or unknown.");
            return false;
        }
    }
    if (http_request_query(request, "person", text, sizeof text)) {
        m->person = strtoll(text, &end, 10);
        if (*end || m->person <= 0) {
            http_problem(request, 400, "wrong-value", "“person” must be the id of a person.");
            return false;
        }
    }
    return true;
}

static void list_images(struct actor *self, struct http_request *request)
{
    const struct frontend_config *config = actor_config(self);
    struct store_list *m = STORE_MESSAGE(STORE_IMAGES, store_list);
    bool explain;

    if (query_page(request, config->page_limit, &m->limit, &m->after) && query_filters(request, m) &&
        query_explain(request, &explain))
        actor_ask(self, "store", &m->m.head, config->store_ms, on_images,
                  call_new(self, request, explain ? EXPLAINED : 0));
    else
        msg_unref(&m->m.head);
}

static void on_image(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;
    struct buf out = {0};

    (void)self;
    if (!reply_failed(call->request, status, reply)) {
        json_image(&out, &((const struct store_reply *)reply)->images[0], call->op == EXPLAINED);
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

static void one_image(struct actor *self, struct http_request *request)
{
    const struct frontend_config *config = actor_config(self);
    struct store_id *m;
    bool explain;
    int64_t id;

    if (!part_number(request, 0, &id) || !query_explain(request, &explain))
        return;
    m = STORE_MESSAGE(STORE_IMAGE, store_id);
    m->id = id;
    actor_ask(self, "store", &m->m.head, config->store_ms, on_image, call_new(self, request, explain ? EXPLAINED : 0));
}

/* --- numbers and health --- */

static void write_stats(struct frontend *f, struct buf *out, const struct store_reply *r)
{
    for (int i = 0; i < IMAGE_STATUSES; i++)
        buf_printf(out, "%s\"%s\":%lld", i ? "," : "{", image_status_name(i), (long long)r->tally[i]);
    buf_printf(out, ",\"unknown\":%lld,\"workers\":%d,\"workers_ready\":%d,\"recognizer\":", (long long)r->unknown,
               f->capacity.workers, f->capacity.ready);
    buf_json(out, f->capacity.recognizer);
    buf_printf(out, ",\"breaker\":{\"state\":\"%s\",\"wait_ms\":%llu,\"reason\":", breaker_state_name(f->breaker.state),
               (unsigned long long)f->breaker.wait_ms);
    buf_json(out, f->breaker.reason[0] ? f->breaker.reason : NULL);
    buf_str(out, "}}");
}

/* A node that takes images goes on taking them: they wait. One that only recognises is of no use meanwhile. */
static bool breaker_holds(struct actor *self)
{
    const struct frontend_config *config = actor_config(self);
    struct frontend *f = actor_state(self);

    return config->recognizes && !config->receives && f->breaker.state != BREAKER_CLOSED;
}

static void write_not_ready(struct actor *self, struct buf *out, int status, const struct msg *reply)
{
    const struct frontend_config *config = actor_config(self);
    struct frontend *f = actor_state(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    const char *separator = "";

    buf_str(out, "{\"ready\":false,\"reasons\":[");
    if (status != ACTOR_OK || r->status != STORE_OK) {
        buf_json(out, status == ACTOR_OK ? r->error : "the store does not answer");
        separator = ",";
    }
    if (config->recognizes && f->capacity.ready == 0) {
        buf_str(out, separator);
        buf_json(out, f->capacity.why[0] ? f->capacity.why : "the recogniser's workers are loading their models");
        separator = ",";
    }
    if (breaker_holds(self)) {
        buf_str(out, separator);
        buf_json(out, "the recogniser's breaker is open");
    }
    buf_str(out, "]}");
}

static void write_metric(struct buf *out, const char *name, const char *help, const char *kind, long long value)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %lld\n", name, help, name, kind, name, value);
}

struct actor_column {
    struct buf *out;
    int what;
};

static void write_actor(void *context, const struct actor_stats *s)
{
    struct actor_column *c = context;
    long long values[] = {s->depth, (long long)s->handled, (long long)s->refused, (long long)s->misrouted,
                          (long long)s->restarts};
    static const char *const names[] = {"kith_actor_mailbox", "kith_actor_handled_total", "kith_actor_refused_total",
                                        "kith_actor_misrouted_total", "kith_actor_restarts_total"};

    if (c->what < 5)
        buf_printf(c->out, "%s{actor=\"%s\"} %lld\n", names[c->what], s->name, values[c->what]);
    else
        buf_printf(c->out, "kith_actor_seconds_total{actor=\"%s\"} %.6f\n", s->name, (double)s->handling_ns / 1e9);
}

static void write_metrics(struct actor *self, struct buf *out, const struct store_reply *r)
{
    static const char *const heads[] = {
        "# HELP kith_actor_mailbox Messages that wait.\n# TYPE kith_actor_mailbox gauge\n",
        "# HELP kith_actor_handled_total Messages handled.\n# TYPE kith_actor_handled_total counter\n",
        "# HELP kith_actor_refused_total Messages refused: mailbox full.\n# TYPE kith_actor_refused_total counter\n",
        "# HELP kith_actor_misrouted_total Messages refused: a type that the actor does not accept.\n"
        "# TYPE kith_actor_misrouted_total counter\n",
        "# HELP kith_actor_restarts_total Restarts after a failure.\n# TYPE kith_actor_restarts_total counter\n",
        "# HELP kith_actor_seconds_total Time spent handling.\n# TYPE kith_actor_seconds_total counter\n"};
    const struct frontend_config *config = actor_config(self);
    struct http_stats http = http_server_stats(config->server);

    metrics_write(out);
    for (int what = 0; what < 6; what++) {
        buf_str(out, heads[what]);
        actor_system_each(actor_system_of(self), write_actor, &(struct actor_column){out, what});
    }
    write_metric(out, "kith_asks", "Asks that wait for their ending.", "gauge",
                 (long long)actor_system_asks(actor_system_of(self)));
    write_metric(out, "kith_http_connections", "Open connections.", "gauge", http.connections);
    write_metric(out, "kith_http_requests_active", "Requests under way.", "gauge", http.requests);
    write_metric(out, "kith_http_streams", "Event streams.", "gauge", http.streams);
    write_metric(out, "kith_http_requests_total", "Requests handled.", "counter", (long long)http.handled);
    write_metric(out, "kith_http_refused_total", "Connections refused.", "counter", (long long)http.refused);
    write_metric(out, "kith_http_cut_off_total", "Connections cut off.", "counter", (long long)http.cut_off);
    write_metric(out, "kith_database_reachable", "1 while the database answers.", "gauge", r != NULL);
    if (!r)
        return;
    buf_str(out, "# HELP kith_images Images by status.\n# TYPE kith_images gauge\n");
    for (int i = 0; i < IMAGE_STATUSES; i++)
        buf_printf(out, "kith_images{status=\"%s\"} %lld\n", image_status_name(i), (long long)r->tally[i]);
    write_metric(out, "kith_images_unknown", "Pending images whose faces nobody knows.", "gauge",
                 (long long)r->unknown);
}

static void on_tally(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct frontend *f = actor_state(self);
    struct call *call = context;
    struct buf out = {0};
    const struct frontend_config *config = actor_config(self);
    bool well = status == ACTOR_OK && r->status == STORE_OK;
    bool rests = (config->recognizes && f->capacity.ready == 0) || breaker_holds(self);

    if (call->op == OP_METRICS) { /* also when the database is away: that is when they are looked at */
        write_metrics(self, &out, well ? r : NULL);
        http_reply_buf(call->request, 200, "text/plain; version=0.0.4", &out);
    } else if (call->op == OP_READYZ && (!well || rests)) {
        write_not_ready(self, &out, status, reply);
        reply_json(call->request, 503, &out);
    } else if (call->op == OP_READYZ) {
        buf_str(&out, config->recognizes && f->breaker.state != BREAKER_CLOSED
                          ? "{\"ready\":true,\"degraded\":[\"the recogniser's breaker is open: images wait\"]}"
                          : "{\"ready\":true}");
        reply_json(call->request, 200, &out);
    } else if (!reply_failed(call->request, status, reply)) {
        write_stats(f, &out, r);
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

/* --- the actor --- */

static void on_http(struct actor *self, struct http_request *request)
{
    const struct frontend_config *config = actor_config(self);
    int op = (int)http_request_route(request)->op;

    switch (op) {
    case OP_IMAGES:
        list_images(self, request);
        break;
    case OP_IMAGE:
        one_image(self, request);
        break;
    case OP_HEALTHZ: /* the loop turns and actors are served: that is all it says */
        http_reply(request, 200, "application/json", "{\"ok\":true}\n", 12);
        break;
    case OP_OPENAPI:
        http_reply(request, 200, config->openapi->content_type, config->openapi->data, config->openapi->len);
        break;
    default:
        actor_ask(self, "store", &STORE_MESSAGE(STORE_TALLY, store_list)->m.head, config->store_ms, on_tally,
                  call_new(self, request, op));
    }
}

static void frontend_receive(struct actor *self, const struct msg *m)
{
    struct frontend *f = actor_state(self);

    switch (m->type) {
    case MSG_HTTP:
        on_http(self, ((const struct msg_http *)m)->request);
        break;
    case MSG_CAPACITY:
        f->capacity = *(const struct msg_capacity *)m;
        break;
    case MSG_BREAKER:
        f->breaker = *(const struct msg_breaker *)m;
        break;
    }
}

static const uint32_t frontend_accepts[] = {MSG_HTTP, MSG_CAPACITY, MSG_BREAKER, 0};

const struct actor_ops frontend_actor = {.name = "frontend",
                                         .state_size = sizeof(struct frontend),
                                         .accepts = frontend_accepts,
                                         .receive = frontend_receive};
