/* Who is this? The image goes the same way as those of the queue (breaker, recognizer, gallery), but before them, and
 * nothing of it is kept. */
#include "actors/intake/identify.h"

#include "actors/api/json_records.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "core/base/metrics.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

enum { EXPLAINED = 1 }; /* how a call is kept */

static struct metric identified = {.name = "kith_identified_total", .help = "Images identified at once."};

static void on_matched(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct msg_matched *m = (const struct msg_matched *)reply;
    struct call *call = context;
    struct buf out = {0};

    if (status != ACTOR_OK) {
        http_problem(call->request, 503, "busy", "The gallery is %s.", actor_status_name(status));
    } else {
        metric_add(&identified, 1);
        buf_printf(&out, "{\"width\":%u,\"height\":%u,\"faces\":", m->event->done.width, m->event->done.height);
        json_faces(&out, m->faces, m->face_count, call->op == EXPLAINED);
        buf_printf(&out, ",\"threshold\":");
        buf_number(&out, m->threshold, 4);
        buf_printf(&out, ",\"ms\":%llu}", (unsigned long long)(actor_now_ms(self) - call->begun_ms));
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

static void on_recognized(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct identify_config *config = actor_config(self);
    struct call *call = context;

    const struct worker_event *event;

    if (recognition_failed(call->request, status, reply)) {
        call_free(call);
        return;
    }
    event = ((const struct msg_recognized *)reply)->event;
    if (event->hello.dimension == 0 && event->face_count == 0 && body_is_image(call->request)) {
        http_problem(call->request, 422, "path-only",
                     "The recogniser “%s” takes the path of an image that it can read itself, not bytes.",
                     event->hello.name);
        call_free(call);
        return;
    }
    actor_ask(self, config->gallery, &msg_match_new(event)->head, config->call_ms, on_matched, call);
}

/* A path of the request's JSON, normalized, or false when it is answered. */
static bool read_path(struct actor *self, struct http_request *request, char *name, size_t size)
{
    const struct identify_config *config = actor_config(self);
    json_t *object = body_object(request), *path;
    struct error error;
    int status;

    if (!object)
        return false;
    path = json_object_get(object, "path");
    if (!json_is_string(path)) {
        http_problem(request, 400, path ? "wrong-type" : "missing",
                     path ? "“path” must be a string." : "“path” is missing.");
        json_decref(object);
        return false;
    }
    status = path_normalize(config->roots, json_string_value(path), json_string_length(path), config->max_path, name,
                            size, &error);
    json_decref(object);
    if (status < 0)
        http_problem(request, status == -EACCES ? 403 : 400, status == -EACCES ? "outside" : "bad-path", "%s",
                     error.text);
    return status >= 0;
}

static void on_http(struct actor *self, struct http_request *request)
{
    const struct identify_config *config = actor_config(self);
    char name[PATH_MAX];
    struct msg_recognize *m;
    bool explain;
    size_t len;

    if (!query_explain(request, &explain))
        return;
    if (body_is_image(request)) {
        const char *body = http_request_body(request, &len);

        if (!body || len == 0) {
            http_problem(request, 400, "no-body", "The request has no body.");
            return;
        }
        m = msg_recognize_new(JOB_RECOGNIZE, "upload", body, len);
    } else if (read_path(self, request, name, sizeof name)) {
        m = msg_recognize_new(JOB_RECOGNIZE, name, NULL, 0);
    } else {
        return;
    }
    m->urgent = true;
    snprintf(m->trace, sizeof m->trace, "%s", http_request_trace(request));
    actor_ask(self, config->breaker, &m->head, config->call_ms, on_recognized,
              call_new(self, request, explain ? EXPLAINED : 0));
}

static int identify_start(struct actor *self)
{
    (void)self;
    metric_register(&identified);
    return 0;
}

static void identify_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_HTTP)
        on_http(self, ((const struct msg_http *)m)->request);
}

static const uint32_t identify_accepts[] = {MSG_HTTP, 0};

const struct actor_ops identify_actor = {
    .name = "identify", .start = identify_start, .accepts = identify_accepts, .receive = identify_receive};
