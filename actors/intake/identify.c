/* Identifies the faces of one image and answers at once. The image passes the recognizer and the gallery as
 * queued images do, with priority over them. Nothing is stored. */
#include "actors/intake/identify.h"

#include "actors/api/json_records.h"
#include "actors/api/path_job.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "core/base/metrics.h"

#include <errno.h>
#include <stdio.h>

enum { EXPLAINED = 1 }; /* in call->op: the answer holds the reasons of each decision */

static struct metric identified = {.name = "kith_identified_total", .help = "Images identified by POST /v1/identify."};

/* The faces, with what is in doubt about them. Nothing is stored, so no word decides one. */
static void identify_write_faces(struct buf *out, const struct identify_config *config, const struct msg_matched *m,
                                 bool explain)
{
    struct arena arena = {0};
    struct face *faces = arena_alloc(&arena, (size_t)m->face_count * sizeof *faces + 1);

    for (int i = 0; i < m->face_count; i++) {
        faces[i] = m->faces[i];
        doubt_judge(&config->doubt, &faces[i]);
    }
    json_faces(out, faces, m->face_count, explain);
    arena_free(&arena);
}

static void identify_on_matched(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct identify_config *config = actor_config(self);
    const struct msg_matched *m = (const struct msg_matched *)reply;
    struct call *call = context;
    struct buf out = {0};

    if (status != ACTOR_OK) {
        http_problem(call->request, 503, "busy", "The gallery is %s.", actor_status_name(status));
    } else {
        metric_add(&identified, 1);
        buf_printf(&out, "{\"width\":%u,\"height\":%u,%s\"faces\":", m->event->done.width, m->event->done.height,
                   m->event->done.partial ? "\"partial\":true," : "");
        identify_write_faces(&out, config, m, call->op == EXPLAINED);
        buf_printf(&out, ",\"threshold\":");
        buf_number(&out, m->threshold, 4);
        buf_printf(&out, ",\"ms\":%llu}", (unsigned long long)(actor_now_ms(self) - call->begun_ms));
        reply_json(call->request, 200, &out);
    }
    call_free(call);
}

static void identify_on_recognized(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct identify_config *config = actor_config(self);
    const struct worker_event *event;
    struct call *call = context;

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
    actor_ask(self, config->gallery, &msg_match_new(event)->head, config->call_ms, identify_on_matched, call);
}

/* Takes `m` and `call`. */
static void identify_ask(struct actor *self, struct msg_recognize *m, struct call *call)
{
    const struct identify_config *config = actor_config(self);

    m->urgent = true;
    snprintf(m->trace, sizeof m->trace, "%s", http_request_trace(call->request));
    actor_ask(self, config->recognizer, &m->head, config->call_ms, identify_on_recognized, call);
}

static void identify_on_resolved(struct actor *self, struct path_job *job)
{
    if (path_job_left(job))
        return;
    if (job->status < 0) {
        const struct path_refusal refusal = path_job_refusal(job);

        http_problem(job->call->request, refusal.http, refusal.slug, "%s", job->error.text);
        return;
    }
    identify_ask(self, msg_recognize_new(JOB_RECOGNIZE, job->paths[0].text, NULL, 0), job->call);
    job->call = NULL;
}

static void identify_on_path(struct actor *self, struct http_request *request, int explained)
{
    const struct identify_config *config = actor_config(self);
    json_t *object = body_object(request), *path;
    struct path_job *job;

    if (!object)
        return;
    path = json_object_get(object, "path");
    if (json_is_string(path)) {
        job = path_job_new(MSG_IDENTIFY_RESOLVED, config->roots, config->max_path, call_new(self, request, explained));
        path_job_add(job, json_string_value(path), json_string_length(path));
        path_job_start(self, config->files, job, identify_on_resolved);
    } else {
        http_problem(request, 400, path ? "wrong-type" : "missing",
                     path ? "“path” must be a string." : "“path” is missing.");
    }
    json_decref(object);
}

static void identify_on_http(struct actor *self, struct http_request *request)
{
    bool explain;
    size_t len;
    const char *body;

    if (!query_explain(request, &explain))
        return;
    if (!body_is_image(request)) {
        identify_on_path(self, request, explain ? EXPLAINED : 0);
        return;
    }
    body = http_request_body(request, &len);
    if (body && len)
        identify_ask(self, msg_recognize_new(JOB_RECOGNIZE, "upload", body, len),
                     call_new(self, request, explain ? EXPLAINED : 0));
    else
        http_problem(request, 400, "no-body", "The request has no body.");
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
        identify_on_http(self, ((const struct msg_http *)m)->request);
    else
        identify_on_resolved(self, (struct path_job *)m);
}

static const uint32_t identify_accepts[] = {MSG_HTTP, MSG_IDENTIFY_RESOLVED, 0};

const struct actor_ops identify_actor = {
    .name = "identify", .start = identify_start, .accepts = identify_accepts, .receive = identify_receive};
