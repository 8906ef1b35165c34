/* Lists images, shows one image, and serves openapi.yaml. Images whose files have gone or changed are marked. */
#include "actors/frontend/frontend.h"

#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/page.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "actors/frontend/file_marks.h"
#include "core/actor/system.h"

#include <stdlib.h>
#include <string.h>

enum { EXPLAINED = 1 }; /* in call->op: the answer holds the reasons of each decision */

/* --- images --- */

static void frontend_write_list(struct buf *out, const struct file_marks *m, bool explain)
{
    buf_str(out, "{\"images\":[");
    for (int i = 0; i < m->count; i++) {
        buf_str(out, i ? ",\n" : "");
        json_image(out, &m->images[i], explain);
    }
    json_next(out, m->from->next);
}

static void frontend_on_looked(const struct file_marks *m)
{
    struct buf out = {0};

    if (m->list)
        frontend_write_list(&out, m, m->call->op == EXPLAINED);
    else
        json_image(&out, &m->images[0], m->call->op == EXPLAINED);
    reply_json(m->call->request, 200, &out);
}

/* Answers when the files of the images were looked at. Takes `call`. */
static void frontend_look(struct actor *self, struct call *call, const struct store_reply *r, bool list)
{
    const struct frontend_config *config = actor_config(self);
    struct file_marks *m = file_marks_new(config->roots, r, call);
    struct http_request *request = http_request_ref(call->request);

    m->list = list;
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &m->head, file_marks_work) < 0)
        http_problem(request, 503, "busy", "Too many files are being read or written.");
    http_request_unref(request);
}

static void frontend_on_images(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;

    if (reply_failed(call->request, status, reply))
        call_free(call);
    else
        frontend_look(self, call, (const struct store_reply *)reply, true);
}

static bool frontend_query_status(struct http_request *request, struct store_list *m)
{
    char text[HTTP_QUERY_MAX];

    if (!http_request_query(request, "status", text, sizeof text))
        return true;
    if (strcmp(text, "unknown") == 0) /* the name of the verdict is accepted as well */
        m->verdict = VERDICT_UNKNOWN;
    else if ((m->status = image_status_from(text)) < 0)
        http_problem(request, 400, "wrong-value", "“status” must be pending, processing, processed or failed.");
    return m->status >= 0 || m->verdict > 0;
}

static bool frontend_query_verdict(struct http_request *request, struct store_list *m)
{
    char text[HTTP_QUERY_MAX];

    if (!http_request_query(request, "verdict", text, sizeof text))
        return true;
    if ((m->verdict = image_verdict_from(text)) < 0)
        http_problem(request, 400, "wrong-value", "“verdict” must be known, unknown or no_face.");
    return m->verdict > 0;
}

static bool frontend_query_retryable(struct http_request *request, struct store_list *m)
{
    char text[HTTP_QUERY_MAX];
    bool retryable = false;

    if (!http_request_query(request, "retryable", text, sizeof text))
        return true;
    if (!query_bool(request, "retryable", &retryable))
        return false;
    if (m->status >= 0 && m->status != IMAGE_FAILED) {
        http_problem(request, 400, "wrong-value", "“retryable” is of failed images only.");
        return false;
    }
    m->status = IMAGE_FAILED;
    m->retryable = retryable ? 1 : -1;
    return true;
}

static bool frontend_query_review(struct http_request *request, struct store_list *m)
{
    char text[HTTP_QUERY_MAX];
    bool review = false;

    if (!http_request_query(request, "review", text, sizeof text))
        return true;
    if (!query_bool(request, "review", &review))
        return false;
    m->review = review ? 1 : -1;
    return true;
}

/* As clients are shown an image: ?status=, ?verdict=, ?retryable=, ?review=; and ?person=, the id of a person. */
static bool frontend_query_filters(struct http_request *request, struct store_list *m)
{
    m->status = m->verdict = -1;
    return frontend_query_status(request, m) && frontend_query_verdict(request, m) &&
           frontend_query_retryable(request, m) && frontend_query_review(request, m) &&
           query_number(request, "person", 1, INT64_MAX, &m->person);
}

static void frontend_list_images(struct actor *self, struct http_request *request)
{
    const struct frontend_config *config = actor_config(self);
    struct store_list *m = STORE_MESSAGE(STORE_IMAGES, store_list);
    bool explain;

    if (query_page(request, config->page_limit, &m->limit, &m->after) && frontend_query_filters(request, m) &&
        query_explain(request, &explain))
        actor_ask(self, "store", &m->m.head, config->store_ms, frontend_on_images,
                  call_new(self, request, explain ? EXPLAINED : 0));
    else
        msg_unref(&m->m.head);
}

static void frontend_on_image(struct actor *self, void *context, int status, const struct msg *reply)
{
    struct call *call = context;

    if (reply_failed(call->request, status, reply))
        call_free(call);
    else
        frontend_look(self, call, (const struct store_reply *)reply, false);
}

static void frontend_get_image(struct actor *self, struct http_request *request)
{
    const struct frontend_config *config = actor_config(self);
    struct store_id *m;
    bool explain;
    int64_t id;

    if (!part_number(request, 0, &id) || !query_explain(request, &explain))
        return;
    m = STORE_MESSAGE(STORE_IMAGE, store_id);
    m->id = id;
    actor_ask(self, "store", &m->m.head, config->store_ms, frontend_on_image,
              call_new(self, request, explain ? EXPLAINED : 0));
}

#ifdef KITH_DEBUG
/* For tests: makes an actor of this node fail. */
static void frontend_fail_actor(struct actor *self, struct http_request *request)
{
    const char *name = http_request_part(request, 0);

    if (actor_system_fail(actor_system_of(self), name, "POST /v1/debug/actors") == ACTOR_OK)
        http_reply(request, 202, "application/json", "{}\n", 3);
    else
        http_problem(request, 404, "not-found", "There is no running actor “%s”.", name);
}
#endif

/* --- the actor --- */

static void frontend_receive(struct actor *self, const struct msg *m)
{
    const struct frontend_config *config = actor_config(self);
    struct http_request *request;

    if (m->type == MSG_FRONTEND_LOOKED) {
        frontend_on_looked((const struct file_marks *)m);
        return;
    }
    request = ((const struct msg_http *)m)->request;
    switch (http_request_route(request)->op) {
    case OP_IMAGES:
        frontend_list_images(self, request);
        break;
    case OP_IMAGE:
        frontend_get_image(self, request);
        break;
    case OP_OPENAPI:
        http_reply(request, 200, config->openapi->content_type, config->openapi->data, config->openapi->len);
        break;
#ifdef KITH_DEBUG
    case OP_DEBUG_FAIL:
        frontend_fail_actor(self, request);
        break;
#endif
    }
}

static const uint32_t frontend_accepts[] = {MSG_HTTP, MSG_FRONTEND_LOOKED, 0};

const struct actor_ops frontend_actor = {.name = "frontend", .accepts = frontend_accepts, .receive = frontend_receive};
