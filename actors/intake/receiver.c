/* Accepts images over HTTP: checks the request, asks the store, and answers after the commit.
 *
 *   paths ─▶ path_job (relative paths: file thread) ─▶ STORE_SUBMIT ─▶ 2xx, and a nudge to the processor
 *   bytes ─▶ spooled by a file thread, synced ──────────┘      │            ▲
 *                               a path that was there already: ▼            │
 *                        posted_job (file thread) ── changed ─▶ STORE_POSTED_AGAIN
 *
 * A request is accepted whole or refused whole. The refusal names the first path that is wrong. Only the original
 * interface goes on with the next path (actors/intake/original.c).
 */
#include "actors/intake/receiver.h"

#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/path_job.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "actors/intake/original.h"
#include "actors/intake/path_body.h"
#include "actors/intake/posted_job.h"
#include "actors/intake/upload_name.h"
#include "core/base/log/log.h"
#include "core/base/metrics.h"
#include "core/base/must.h"
#include "core/base/text.h"
#include "core/image/formats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 256 };

struct upload { /* bytes that a file thread writes to the spool */
    struct call *call;
    char *bytes;
    struct store_submit *submit; /* has the Idempotency-Key: the client's headers are gone when it leaves */
};

static struct metric accepted = {.name = "kith_images_accepted_total", .help = "Images accepted and stored."};
static struct metric repeated = {.name = "kith_images_duplicate_total",
                                 .help = "Submitted images that were already stored."};

/* --- answering --- */

static void receiver_write_json(struct buf *out, const struct image *images, int count)
{
    buf_str(out, "{\"images\":[");
    for (int i = 0; i < count; i++) {
        buf_printf(out, "%s{\"id\":%lld,\"path\":", i ? "," : "", (long long)images[i].id);
        buf_json(out, images[i].path);
        buf_printf(out, ",\"status\":\"%s\"%s%s", image_status_name(image_shown_status(&images[i])),
                   images[i].existing ? ",\"existing\":true" : "", images[i].again ? ",\"again\":true" : "");
        if (images[i].filename) {
            buf_str(out, ",\"filename\":");
            buf_json(out, images[i].filename);
        }
        buf_str(out, "}");
    }
    buf_str(out, "]}");
}

/* Counts and logs the images of a reply, and announces those that wait now. */
static void receiver_announce(struct actor *self, const struct http_request *request, const struct store_reply *r)
{
    const struct receiver_config *config = actor_config(self);
    int fresh = 0, again = 0;

    for (int i = 0; i < r->image_count; i++) {
        const struct image *image = &r->images[i];

        fresh += !image->existing;
        again += image->again;
        log_event(LOG_INFO,
                  image->again      ? "submitted again"
                  : image->existing ? "already submitted"
                                    : "accepted",
                  LOG_INT("image", image->id), LOG_STR("path", image->path),
                  LOG_STR("request", http_request_id(request)));
    }
    metric_add(&accepted, fresh);
    metric_add(&repeated, r->image_count - fresh);
    if (fresh || again)
        msg_tell_waiting(self, config->waiting, r->images, r->image_count);
}

static void receiver_answer(const struct posted_job *job)
{
    struct http_request *request = posted_job_request(job);
    struct buf out = {0};

    if (job->paths) {
        original_write_lines(&out, job->paths, job->images, job->count);
        http_reply_buf(request, 200, "text/plain; charset=utf-8", &out);
    } else {
        receiver_write_json(&out, job->images, job->count);
        reply_json(request, 202, &out);
    }
}

static void receiver_on_posted(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct receiver_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct posted_job *job = context;

    if (!reply_failed(posted_job_request(job), status, reply)) {
        for (int i = 0; i < r->image_count; i++)
            log_event(LOG_INFO, "file changed", LOG_INT("image", r->images[i].id), LOG_STR("path", r->images[i].path),
                      LOG_STR("request", http_request_id(posted_job_request(job))));
        if (r->image_count)
            msg_tell_waiting(self, config->waiting, r->images, r->image_count);
        posted_job_apply(job, r);
        receiver_answer(job);
    }
    msg_unref(&job->head);
}

static void receiver_on_looked(struct actor *self, struct posted_job *job)
{
    const struct receiver_config *config = actor_config(self);
    struct store_posted *m = posted_job_message(job);

    if (!m) {
        receiver_answer(job);
        return;
    }
    msg_ref(&job->head);
    actor_ask(self, "store", &m->m.head, config->store_ms, receiver_on_posted, job);
}

/* The images are stored. Those whose paths were there already may have other files now. Takes `job`. */
static void receiver_look(struct actor *self, struct posted_job *job)
{
    const struct receiver_config *config = actor_config(self);
    struct http_request *request = http_request_ref(posted_job_request(job));

    receiver_announce(self, request, job->from);
    if (!posted_job_is_needed(job)) {
        receiver_answer(job);
        msg_unref(&job->head);
    } else if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &job->head,
                           posted_job_work) < 0) {
        http_problem(request, 503, "busy", "Too many files are being read or written.");
    }
    http_request_unref(request);
}

static void receiver_on_submitted(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct receiver_config *config = actor_config(self);
    struct call *call = context;

    if (reply_failed(call->request, status, reply))
        call_free(call);
    else
        receiver_look(
            self, posted_job_new(MSG_RECEIVER_LOOKED, config->roots, (const struct store_reply *)reply, call, NULL));
}

/* Of the original interface: the job has the paths that were refused. */
static void receiver_on_original_submitted(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct receiver_config *config = actor_config(self);
    struct path_job *job = context;

    if (reply_failed(job->call->request, status, reply))
        msg_unref(&job->head);
    else
        receiver_look(self,
                      posted_job_new(MSG_RECEIVER_LOOKED, config->roots, (const struct store_reply *)reply, NULL, job));
}

/* --- submitting --- */

/* Adds the Idempotency-Key and the hash of the body, by which the store recognises a repeated request. False: the key
 * is refused, and that is answered. */
static bool receiver_take_key(struct http_request *request, struct store_submit *m)
{
    char key[KEY_BYTES], hash[SHA256_HEX_BYTES];
    size_t len;
    const char *body = http_request_body(request, &len);

    if (!http_request_header(request, "idempotency-key", key, sizeof key))
        return true;
    if (!key[0] || !text_is_utf8(key)) {
        http_problem(request, 400, "wrong-value", "The Idempotency-Key is empty or not UTF-8.");
        return false;
    }
    sha256_hex(body ? body : "", len, hash);
    m->idempotency_key = arena_text(&m->m.arena, key);
    m->request_hash = arena_text(&m->m.arena, hash);
    return true;
}

static void receiver_submit(struct actor *self, const struct call *call, struct store_submit *m, actor_reply_fn then,
                            void *context)
{
    const struct receiver_config *config = actor_config(self);

    if (http_request_trace(call->request)[0])
        m->trace = arena_text(&m->m.arena, http_request_trace(call->request));
    m->m.head.size_bytes += m->m.arena.total;
    actor_ask(self, "store", &m->m.head, config->store_ms, then, context);
}

/* Whether the request is refused as a whole: answered. */
static bool receiver_refused(const struct path_job *job, int good)
{
    struct http_request *request = job->call->request;
    const struct path_refusal refusal = path_job_refusal(job);

    if (job->refusal_status != 413 && job->each && (good || job->count == 0))
        return false;
    if (job->status < 0 && job->failed > 0)
        http_problem(request, refusal.http, refusal.slug, "Path number %d: %s", job->failed + 1, job->error.text);
    else if (job->status < 0)
        http_problem(request, refusal.http, refusal.slug, "%s", job->error.text);
    else if (job->refusal_status)
        http_problem(request, job->refusal_status, job->refusal_slug, "%s", job->refusal_text);
    return job->status < 0 || job->refusal_status;
}

static void receiver_on_resolved(struct actor *self, struct path_job *job)
{
    struct store_submit *m;
    const char **paths;
    int good = 0;

    if (path_job_left(job))
        return;
    for (int i = 0; i < job->count; i++)
        good += !job->paths[i].refused;
    if (receiver_refused(job, good))
        return;
    if (job->count == 0) {
        http_reply(job->call->request, 200, "text/plain; charset=utf-8", ORIGINAL_NO_PATHS,
                   sizeof ORIGINAL_NO_PATHS - 1);
        return;
    }
    m = STORE_MESSAGE(STORE_SUBMIT, store_submit);
    paths = arena_alloc(&m->m.arena, (size_t)good * sizeof *paths);
    for (int i = 0; i < job->count; i++)
        if (!job->paths[i].refused)
            paths[m->count++] = arena_copy(&m->m.arena, job->paths[i].text, job->paths[i].len);
    m->paths = paths;
    if (!receiver_take_key(job->call->request, m)) {
        msg_unref(&m->m.head);
    } else if (job->each) {
        msg_ref(&job->head);
        receiver_submit(self, job->call, m, receiver_on_original_submitted, job);
    } else {
        receiver_submit(self, job->call, m, receiver_on_submitted, job->call);
        job->call = NULL;
    }
}

static void receiver_on_paths(struct actor *self, struct http_request *request, int op, bool lines)
{
    const struct receiver_config *config = actor_config(self);
    char name[HTTP_QUERY_MAX];
    struct path_job *job;

    if (op == OP_SUBMIT && http_request_query(request, "filename", name, sizeof name)) {
        http_problem(request, 400, "wrong-value", "“filename” is of uploaded bytes; a path has its own name.");
        return;
    }
    job = path_job_new(MSG_RECEIVER_RESOLVED, config->roots, config->max_path, call_new(self, request, op));
    job->each = op == OP_IMAGE_POST;
    if (lines)
        path_body_read_lines(job, config->max_paths);
    if (lines || path_body_read_object(job, config->max_paths))
        path_job_start(self, config->files, job, receiver_on_resolved);
    else
        msg_unref(&job->head);
}

/* --- bytes --- */

static void receiver_free_upload(struct upload *up)
{
    if (up->call)
        call_free(up->call);
    msg_unref(up->submit ? &up->submit->m.head : NULL);
    free(up->bytes);
    free(up);
}

static void receiver_on_bytes(struct actor *self, struct http_request *request)
{
    const struct receiver_config *config = actor_config(self);
    struct upload *up;
    struct spool_job *job;
    size_t len;
    const char *body = http_request_body(request, &len);
    struct image_header header;
    char name[UPLOAD_NAME_BYTES];

    if (!body || len == 0) {
        http_problem(request, 400, "no-body", "The request has no body.");
        return;
    }
    if (!config->spool) {
        http_problem(request, 503, "no-spool",
                     "Uploads need a folder that all nodes share (KITH_SPOOL); submit the path of the image instead.");
        return;
    }
    header = sniff((const uint8_t *)body, len);
    if (header.type == IMAGE_UNKNOWN || header.width == 0) {
        http_problem(request, 415, "bad-image", "The body is not an image that kith knows: %s.", image_formats_text());
        return;
    }
    if (len > config->max_image) {
        http_problem(request, 413, "too-large", "The image has %zu bytes; the limit is %zu (KITH_MAX_IMAGE).", len,
                     config->max_image);
        return;
    }
    if (!upload_name_take(request, name))
        return;
    up = calloc(1, sizeof *up);
    if (!up || !(up->bytes = malloc(len)))
        out_of_memory();
    memcpy(up->bytes, body, len);
    up->call = call_new(self, request, OP_SUBMIT);
    up->submit = STORE_MESSAGE(STORE_SUBMIT, store_submit);
    if (name[0])
        up->submit->filename = arena_text(&up->submit->m.arena, name);
    if (!receiver_take_key(request, up->submit)) {
        receiver_free_upload(up);
        return;
    }
    job = spool_job_new(MSG_RECEIVER_SPOOLED, config->spool, up->bytes, len, up);
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &job->head, spool_work) < 0) {
        http_problem(request, 503, "busy", "Too many images are being written.");
        receiver_free_upload(up);
    }
}

/* Submits the image also when the client has left: its bytes are in the spool, and a repeated request with the same
 * Idempotency-Key gets the same answer. */
static void receiver_on_spooled(struct actor *self, const struct spool_job *job)
{
    struct upload *up = job->context;
    struct store_submit *m = up->submit;
    const char **paths;

    if (job->status < 0) {
        http_problem(up->call->request, job->status == -ENOSPC ? 507 : 500, "spool", "%s", job->error.text);
        receiver_free_upload(up);
        return;
    }
    paths = arena_alloc(&m->m.arena, sizeof *paths);
    paths[0] = arena_text(&m->m.arena, job->path);
    m->paths = paths;
    m->count = 1;
    m->spooled = true;
    m->sha256 = arena_text(&m->m.arena, job->sha256);
    receiver_submit(self, up->call, m, receiver_on_submitted, up->call);
    up->call = NULL;
    up->submit = NULL;
    receiver_free_upload(up);
}

/* --- the actor --- */

static void receiver_on_http(struct actor *self, struct http_request *request)
{
    int op = (int)http_request_route(request)->op;
    char type[MEDIA_TYPE_BYTES];

    request_media_type(request, type);
    if (op == OP_SUBMIT && strcmp(type, "application/x-ndjson") == 0)
        receiver_on_paths(self, request, op, true);
    else if (op == OP_SUBMIT && body_is_image(request))
        receiver_on_bytes(self, request);
    else
        receiver_on_paths(self, request, op, false);
}

static int receiver_start(struct actor *self)
{
    (void)self;
    metric_register(&accepted);
    metric_register(&repeated);
    return 0;
}

static void receiver_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_HTTP)
        receiver_on_http(self, ((const struct msg_http *)m)->request);
    else if (m->type == MSG_RECEIVER_SPOOLED)
        receiver_on_spooled(self, (const struct spool_job *)m);
    else if (m->type == MSG_RECEIVER_RESOLVED)
        receiver_on_resolved(self, (struct path_job *)m);
    else if (m->type == MSG_RECEIVER_LOOKED)
        receiver_on_looked(self, (struct posted_job *)m);
}

static const uint32_t receiver_accepts[] = {MSG_HTTP, MSG_RECEIVER_SPOOLED, MSG_RECEIVER_RESOLVED, MSG_RECEIVER_LOOKED,
                                            0};

const struct actor_ops receiver_actor = {
    .name = "receiver",
    .start = receiver_start,
    .accepts = receiver_accepts,
    .receive = receiver_receive,
};
