#include "actors/upkeep/retry.h"

#include "actors/api/deleted.h"
#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "core/base/log/log.h"
#include "core/base/must.h"

#include <stdlib.h>
#include <string.h>

/* --- retry the failed images that can be cured, batch by batch --- */

struct retry_all { /* one request */
    struct call *call;
    char *reason;     /* only images whose reason holds this text; NULL: any */
    int64_t older_ms; /* only images that failed at least so long ago */
    int64_t limit;    /* images at most; 0: no limit */
    int64_t done;     /* images so far */
    bool now;         /* also those whose pause is not over */
    bool dry;         /* count only */
};

static void retry_all_free(struct retry_all *r)
{
    call_free(r->call);
    free(r->reason);
    free(r);
}

static void retry_on_batch(struct actor *self, void *context, int status, const struct msg *reply);

static void retry_ask_batch(struct actor *self, struct retry_all *r, struct retry_cursor after)
{
    const struct retry_config *config = actor_config(self);
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);

    m->after = after;
    m->reason = arena_text(&m->m.arena, r->reason);
    m->older_ms = r->older_ms;
    m->limit = r->limit ? r->limit - r->done : 0;
    m->pause_ms = config->pause_ms;
    m->pause_max_ms = config->pause_max_ms;
    m->now = r->now;
    m->dry = r->dry;
    actor_ask(self, "store", &m->m.head, config->store_ms, retry_on_batch, r);
}

static void retry_on_batch(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct retry_config *config = actor_config(self);
    const struct store_reply *s = (const struct store_reply *)reply;
    struct retry_all *r = context;
    struct buf out = {0};
    bool succeeded = status == ACTOR_OK && s->status == STORE_OK;

    if (succeeded) {
        r->done += s->changed;
        if (s->changed && !r->dry)
            msg_tell(self, config->processor, MSG_NUDGE);
        if (s->more) {
            retry_ask_batch(self, r, s->retry_next);
            return;
        }
        if (r->done && !r->dry)
            log_event(LOG_INFO, "retried", LOG_INT("images", r->done), LOG_STR("reason", r->reason));
    }
    if (!reply_failed(r->call->request, status, reply)) {
        buf_printf(&out, "{\"retried\":%lld,\"dry_run\":%s}", (long long)r->done, r->dry ? "true" : "false");
        reply_json(r->call->request, 200, &out);
    }
    retry_all_free(r);
}

static struct retry_all *retry_all_new(struct call *call)
{
    struct retry_all *r = calloc(1, sizeof *r);

    if (!r)
        out_of_memory();
    r->call = call;
    return r;
}

static void retry_begin_all(struct actor *self, struct http_request *request)
{
    char text[HTTP_QUERY_MAX];
    struct retry_all *r;

    if (http_request_query(request, "status", text, sizeof text) && strcmp(text, "failed") != 0) {
        http_problem(request, 400, "wrong-value", "“status” must be failed.");
        return;
    }
    r = retry_all_new(call_new(self, request, OP_RETRY_ALL));
    if (!query_number(request, "older_ms", 0, INT64_MAX / 2, &r->older_ms) ||
        !query_number(request, "limit", 1, INT64_MAX, &r->limit) || !query_bool(request, "now", &r->now) ||
        !query_bool(request, "dry_run", &r->dry) || !query_text(request, "reason", HTTP_QUERY_MAX, text)) {
        retry_all_free(r);
        return;
    }
    if (text[0])
        r->reason = strdup(text);
    retry_ask_batch(self, r, (struct retry_cursor){0});
}

static void retry_on_one(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct retry_config *config = actor_config(self);
    const struct store_reply *s = (const struct store_reply *)reply;
    struct call *call = context;
    struct buf out = {0};

    if (!reply_failed(call->request, status, reply)) {
        if (s->changed)
            msg_tell(self, config->processor, MSG_NUDGE);
        json_image(&out, &s->images[0], false);
        log_event(LOG_INFO, "retried", LOG_INT("image", call->id));
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

static void retry_begin_one(struct actor *self, struct http_request *request, int64_t id)
{
    const struct retry_config *config = actor_config(self);
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);
    struct call *call = call_new(self, request, OP_RETRY);

    call->id = m->id = id;
    actor_ask(self, "store", &m->m.head, config->store_ms, retry_on_one, call);
}

/* --- deleting --- */

/* The actor eraser removes the files, here and on the other nodes. */
static void retry_on_deleted(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;

    if (!reply_failed(call->request, status, reply)) {
        audit(call->request, "image deleted", 0, "image", call->id, NULL);
        msg_tell(self, "eraser", MSG_ERASE);
        msg_tell_gallery(self);
        reply_deleted(call->request, &r->deleted);
    }
    call_free(call);
}

static void retry_delete(struct actor *self, struct http_request *request, int64_t id)
{
    const struct retry_config *config = actor_config(self);
    struct store_id *m = STORE_MESSAGE(STORE_DELETE, store_id);
    struct call *call = call_new(self, request, OP_DELETE);

    call->id = m->id = id;
    actor_ask(self, "store", &m->m.head, config->store_ms, retry_on_deleted, call);
}

static void retry_on_unknown_deleted(struct actor *self, void *context, int status, const struct msg *reply);

static void retry_delete_unknown(struct actor *self, struct call *call, bool first)
{
    const struct retry_config *config = actor_config(self);
    struct store_id *m = STORE_MESSAGE(STORE_FORGET_UNKNOWN, store_id);

    m->id = call->id;
    m->person = !first;
    m->said_by = request_said_by(call->request, &m->m.arena);
    actor_ask(self, "store", &m->m.head, config->store_ms, retry_on_unknown_deleted, call);
}

static void retry_on_unknown_deleted(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;

    if (reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    deleted_add(&call->deleted, &r->deleted);
    if (r->more) {
        retry_delete_unknown(self, call, false);
        return;
    }
    audit(call->request, "unknown person deleted", 0, "unknown_person", call->id, NULL);
    msg_tell(self, "eraser", MSG_ERASE);
    msg_tell_gallery(self);
    reply_deleted(call->request, &call->deleted);
    call_free(call);
}

static void retry_on_http(struct actor *self, struct http_request *request)
{
    int op = (int)http_request_route(request)->op;
    int64_t id = 0;

    if (op == OP_RETRY_ALL) {
        retry_begin_all(self, request);
        return;
    }
    if (!part_number(request, 0, &id))
        return;
    if (op == OP_RETRY) {
        retry_begin_one(self, request, id);
    } else if (op == OP_DELETE) {
        retry_delete(self, request, id);
    } else {
        struct call *call = call_new(self, request, op);

        call->id = id;
        retry_delete_unknown(self, call, true);
    }
}

/* --- the actor --- */

static void retry_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_HTTP)
        retry_on_http(self, ((const struct msg_http *)m)->request);
}

static const uint32_t retry_accepts[] = {MSG_HTTP, 0};

const struct actor_ops retry_actor = {.name = "retry", .accepts = retry_accepts, .receive = retry_receive};
