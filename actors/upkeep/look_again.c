#include "actors/upkeep/look_again.h"

#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "core/base/log/log.h"
#include "core/base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMER_STEP = 1 };
enum {
    STEP_MS = 1000,
    IDLE_STEPS = 10 /* after which a node sees an operation that another node has begun */
};

struct look_again {
    char model[128]; /* of the recogniser of this node; "": none yet */
    bool stepping;   /* a step is asked of the store */
    bool runs;       /* an operation, as far as this node knows */
    int idle;        /* ticks of the timer since the last step */
};

/* --- steps --- */

static void look_again_on_step(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct look_again_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct look_again *l = actor_state(self);
    const struct operation *o = status == ACTOR_OK && r->status == STORE_OK ? r->operation : NULL;

    (void)context;
    l->stepping = false;
    if (status == ACTOR_OK && r->status == STORE_OK)
        l->runs = o && o->state == OPERATION_RUNNING;
    if (o && r->changed)
        msg_tell(self, config->processor, MSG_NUDGE);
    if (o && o->state == OPERATION_DONE)
        log_event(LOG_INFO, "looked again", LOG_INT("operation", o->id), LOG_INT("images", o->done));
}

static void look_again_step(struct actor *self)
{
    const struct look_again_config *config = actor_config(self);
    struct store_look_again *m = STORE_MESSAGE(STORE_LOOK_AGAIN, store_look_again);
    struct look_again *l = actor_state(self);

    l->stepping = true;
    l->idle = 0;
    m->action = LOOK_AGAIN_STEP;
    m->max = config->rate * STEP_MS / 1000;
    m->step_ms = STEP_MS - 50; /* the timer of the next step may be early against the clock of the database */
    actor_ask(self, "store", &m->m.head, config->store_ms, look_again_on_step, NULL);
}

/* --- answers --- */

static void look_again_json(struct buf *out, const struct operation *o)
{
    if (!o) {
        buf_str(out, "{\"operation\":null}");
        return;
    }
    buf_printf(out,
               "{\"operation\":{\"id\":%lld,\"state\":\"%s\",\"images\":%lld,\"done\":%lld,\"filter\":{\"verdict\":",
               (long long)o->id, operation_state_name(o->state), (long long)o->total, (long long)o->done);
    buf_json(out, image_verdict_name(o->filter.verdict));
    buf_str(out, ",\"person\":");
    if (o->filter.person)
        buf_printf(out, "%lld", (long long)o->filter.person);
    else
        buf_str(out, "null");
    buf_str(out, ",\"not_model\":");
    buf_json(out, o->filter.not_model);
    buf_str(out, ",\"from\":");
    json_time(out, o->filter.from_ms);
    buf_str(out, ",\"to\":");
    json_time(out, o->filter.to_ms);
    buf_str(out, "},\"created_at\":");
    json_time(out, o->created_ms);
    buf_str(out, ",\"finished_at\":");
    json_time(out, o->finished_ms);
    buf_str(out, "}}");
}

static void look_again_on_operation(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct look_again *l = actor_state(self);
    struct call *call = context;
    struct buf out = {0};

    if (!reply_failed(call->request, status, reply)) {
        if (r->operation && r->operation->state == OPERATION_RUNNING)
            l->runs = true;
        if (call->op != OP_LOOK_AGAIN_SHOW && r->changed && r->operation)
            log_event(LOG_INFO, "look again", LOG_INT("operation", r->operation->id),
                      LOG_STR("state", operation_state_name(r->operation->state)),
                      LOG_INT("images", r->operation->total));
        look_again_json(&out, r->operation);
        reply_json(call->request, call->op == OP_LOOK_AGAIN ? 202 : 200, &out);
    }
    call_free(call);
}

/* --- counting, then beginning --- */

struct look_again_request {
    struct call *call;
    struct look_again_filter filter;
    char model[HTTP_QUERY_MAX]; /* of the filter */
    int64_t count;
    bool dry;
};

static void look_again_request_free(struct look_again_request *q)
{
    if (q->call)
        call_free(q->call);
    free(q);
}

static struct store_look_again *look_again_message(uint32_t type, const struct look_again_request *q)
{
    struct store_look_again *m = store_message_new(type, sizeof *m);

    m->action = LOOK_AGAIN_BEGIN;
    m->filter = q->filter;
    m->filter.not_model = q->model[0] ? arena_text(&m->m.arena, q->model) : NULL;
    return m;
}

static void look_again_on_counted(struct actor *self, void *context, int status, const struct msg *reply);

static void look_again_count(struct actor *self, struct look_again_request *q, int64_t after)
{
    const struct look_again_config *config = actor_config(self);
    struct store_look_again *m = look_again_message(STORE_LOOK_AGAIN_COUNT, q);

    m->after = after;
    actor_ask(self, "store", &m->m.head, config->store_ms, look_again_on_counted, q);
}

static void look_again_on_counted(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct look_again_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct look_again_request *q = context;
    struct buf out = {0};

    if (reply_failed(q->call->request, status, reply)) {
        look_again_request_free(q);
        return;
    }
    q->count += r->changed;
    if (r->more) {
        look_again_count(self, q, r->next);
        return;
    }
    if (q->dry) {
        buf_printf(&out, "{\"images\":%lld,\"dry_run\":true}", (long long)q->count);
        reply_json(q->call->request, 200, &out);
    } else {
        struct store_look_again *m = look_again_message(STORE_LOOK_AGAIN, q);

        m->total = q->count;
        actor_ask(self, "store", &m->m.head, config->store_ms, look_again_on_operation, q->call);
        q->call = NULL;
    }
    look_again_request_free(q);
}

static bool look_again_query_verdict(struct http_request *request, int *verdict)
{
    char text[HTTP_QUERY_MAX];

    *verdict = -1;
    if (!http_request_query(request, "verdict", text, sizeof text))
        return true;
    if ((*verdict = image_verdict_from(text)) < 0)
        http_problem(request, 400, "wrong-value", "“verdict” must be known, unknown or no_face.");
    return *verdict > 0;
}

/* ?not_model= is the id of a model, or "current": the one of this node's recogniser. */
static bool look_again_query_model(struct actor *self, struct http_request *request, char model[HTTP_QUERY_MAX])
{
    const struct look_again *l = actor_state(self);

    if (!query_text(request, "not_model", HTTP_QUERY_MAX, model))
        return false;
    if (strcmp(model, "current") != 0)
        return true;
    if (!l->model[0]) {
        http_problem(request, 409, "no-model",
                     "“not_model”: the recogniser of this node is not ready, or it has none; name the model.");
        return false;
    }
    snprintf(model, HTTP_QUERY_MAX, "%s", l->model);
    return true;
}

static void look_again_begin(struct actor *self, struct http_request *request)
{
    struct look_again_request *q = calloc(1, sizeof *q);
    struct look_again_filter *f;

    if (!q)
        out_of_memory();
    f = &q->filter;
    q->call = call_new(self, request, OP_LOOK_AGAIN);
    if (look_again_query_verdict(request, &f->verdict) && query_number(request, "person", 1, INT64_MAX, &f->person) &&
        query_number(request, "from_ms", 0, INT64_MAX, &f->from_ms) &&
        query_number(request, "to_ms", 1, INT64_MAX, &f->to_ms) && look_again_query_model(self, request, q->model) &&
        query_bool(request, "dry_run", &q->dry))
        look_again_count(self, q, 0);
    else
        look_again_request_free(q);
}

/* --- the actor --- */

static void look_again_act(struct actor *self, struct http_request *request, int op)
{
    const struct look_again_config *config = actor_config(self);
    struct store_look_again *m = STORE_MESSAGE(STORE_LOOK_AGAIN, store_look_again);

    m->action = op == OP_LOOK_AGAIN_PAUSE    ? LOOK_AGAIN_PAUSE
                : op == OP_LOOK_AGAIN_RESUME ? LOOK_AGAIN_RESUME
                                             : LOOK_AGAIN_CANCEL;
    actor_ask(self, "store", &m->m.head, config->store_ms, look_again_on_operation, call_new(self, request, op));
}

static void look_again_on_http(struct actor *self, struct http_request *request)
{
    const struct look_again_config *config = actor_config(self);
    int op = (int)http_request_route(request)->op;

    if (op == OP_LOOK_AGAIN)
        look_again_begin(self, request);
    else if (op == OP_LOOK_AGAIN_SHOW)
        actor_ask(self, "store", &STORE_MESSAGE(STORE_OPERATION, store_id)->m.head, config->store_ms,
                  look_again_on_operation, call_new(self, request, op));
    else
        look_again_act(self, request, op);
}

static int look_again_start(struct actor *self)
{
    ((struct look_again *)actor_state(self))->idle = IDLE_STEPS;
    actor_after(self, STEP_MS, TIMER_STEP);
    msg_tell(self, "recognizer", MSG_SEND_STATE);
    return 0;
}

static void look_again_receive(struct actor *self, const struct msg *m)
{
    struct look_again *l = actor_state(self);

    if (m->type == MSG_HTTP)
        look_again_on_http(self, ((const struct msg_http *)m)->request);
    else
        snprintf(l->model, sizeof l->model, "%s", ((const struct msg_capacity *)m)->model);
}

static void look_again_timer(struct actor *self, uint32_t timer)
{
    struct look_again *l = actor_state(self);

    actor_after(self, STEP_MS, timer);
    if (!l->stepping && (l->runs || ++l->idle >= IDLE_STEPS))
        look_again_step(self);
}

static const uint32_t look_again_accepts[] = {MSG_HTTP, MSG_CAPACITY, 0};

const struct actor_ops look_again_actor = {.name = "look_again",
                                           .state_size = sizeof(struct look_again),
                                           .start = look_again_start,
                                           .accepts = look_again_accepts,
                                           .receive = look_again_receive,
                                           .timer = look_again_timer};
