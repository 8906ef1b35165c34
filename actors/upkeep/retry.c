#include "actors/upkeep/retry.h"

#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "actors/upkeep/spool_files.h"
#include "core/base/clock.h"
#include "core/base/log/log.h"

#include <stdlib.h>
#include <string.h>

/* The file of a younger upload is left to the janitor: another request may be about to submit the same bytes. */
enum { DELETE_AGE_MS = 10000 };

static void retry_remove_file(struct actor *self, const char *path, const char *sha256, int64_t age_ms)
{
    const struct retry_config *config = actor_config(self);

    /* When too many jobs wait, the janitor finds the file later. */
    offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)),
                &spool_removal_new(MSG_RETRY_REMOVED, config->thumbs, path, sha256, age_ms)->head, spool_removal_work);
}

/* --- retry all failed images, batch by batch --- */

struct retry_all { /* one request */
    struct call *call;
    char *reason;     /* only images whose reason holds this text; NULL: any */
    int64_t older_ms; /* only images that failed at least so long ago */
    int64_t limit;    /* images at most; 0: no limit */
    int64_t done;     /* images so far */
    bool dry;         /* count only */
};

static void retry_all_free(struct retry_all *r)
{
    call_free(r->call);
    free(r->reason);
    free(r);
}

static void retry_on_batch(struct actor *self, void *context, int status, const struct msg *reply);

static void retry_ask_batch(struct actor *self, struct retry_all *r, int64_t after)
{
    const struct retry_config *config = actor_config(self);
    struct store_retry *m = STORE_MESSAGE(STORE_RETRY, store_retry);

    m->after = after;
    m->reason = arena_text(&m->m.arena, r->reason);
    m->older_ms = r->older_ms;
    m->limit = r->limit ? r->limit - r->done : 0;
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
            retry_ask_batch(self, r, s->next);
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
        abort();
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
        !query_number(request, "limit", 1, INT64_MAX, &r->limit) || !query_bool(request, "dry_run", &r->dry) ||
        !query_text(request, "reason", HTTP_QUERY_MAX, text)) {
        retry_all_free(r);
        return;
    }
    if (text[0])
        r->reason = strdup(text);
    retry_ask_batch(self, r, 0);
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

static void retry_on_in_use(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;

    if (status == ACTOR_OK && r->status == STORE_OK && r->changed == 0)
        retry_remove_file(self, call->path, NULL, DELETE_AGE_MS);
    http_reply(call->request, 204, NULL, NULL, 0);
    call_free(call);
}

static void retry_on_deleted(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct retry_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    struct store_text *m;

    if (reply_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    log_event(LOG_INFO, "deleted", LOG_INT("image", r->images[0].id));
    for (int i = 0; i < r->images[0].face_count; i++)
        if (r->images[0].faces[i].place) { /* its words made templates */
            msg_tell_gallery(self);
            break;
        }
    if (r->images[0].sha256)
        retry_remove_file(self, NULL, r->images[0].sha256, 0);
    if (!r->images[0].spooled) {
        http_reply(call->request, 204, NULL, NULL, 0);
        call_free(call);
        return;
    }
    call->path = strdup(r->images[0].path);
    m = STORE_MESSAGE(STORE_PATH_IN_USE, store_text);
    m->text = arena_text(&m->m.arena, call->path);
    actor_ask(self, "store", &m->m.head, config->store_ms, retry_on_in_use, call);
}

static void retry_on_http(struct actor *self, struct http_request *request)
{
    const struct retry_config *config = actor_config(self);
    int op = (int)http_request_route(request)->op;
    struct store_id *m;
    int64_t id = 0;

    if (op == OP_RETRY_ALL) {
        retry_begin_all(self, request);
        return;
    }
    if (!part_number(request, 0, &id))
        return;
    if (op == OP_RETRY) {
        retry_begin_one(self, request, id);
        return;
    }
    m = STORE_MESSAGE(STORE_DELETE, store_id);
    m->id = id;
    actor_ask(self, "store", &m->m.head, config->store_ms, retry_on_deleted, call_new(self, request, op));
}

/* --- the actor --- */

static void retry_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_HTTP)
        retry_on_http(self, ((const struct msg_http *)m)->request);
}

static const uint32_t retry_accepts[] = {MSG_HTTP, MSG_RETRY_REMOVED, 0};

const struct actor_ops retry_actor = {.name = "retry", .accepts = retry_accepts, .receive = retry_receive};
