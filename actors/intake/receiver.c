/* Accepts images: checks the request, asks the store, answers only after the commit.
 *
 *   paths ─▶ checked ──────────────────────────▶ STORE_SUBMIT ─▶ 2xx, and a nudge to the processor
 *   bytes ─▶ spooled on a files' thread, synced ─┘
 *
 * A request is taken whole or not at all: one bad path refuses all of it, in words that name which.
 */
#include "actors/intake/receiver.h"

#include "actors/api/json_records.h"
#include "actors/api/ops.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "core/base/log.h"
#include "core/base/metrics.h"
#include "core/image/sniff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 256 };

struct upload { /* bytes on their way to the spool */
    struct call *call;
    char *bytes;
};

static struct metric accepted = {.name = "kith_images_accepted_total", .help = "Images stored for the first time."};
static struct metric repeated = {.name = "kith_images_duplicate_total", .help = "Images that were there already."};

/* --- answering --- */

static void write_lines(struct buf *out, const struct store_reply *r)
{
    for (int i = 0; i < r->image_count; i++) {
        const struct image *image = &r->images[i];

        buf_printf(out, "got path: %s\n", image->path);
        if (image->existing)
            buf_printf(out, "image %s already exists with id: %lld\n", image->path, (long long)image->id);
        else
            buf_printf(out, "image saved with id: %lld\nimage sent to queue\n", (long long)image->id);
    }
}

static void write_json(struct buf *out, const struct store_reply *r)
{
    buf_str(out, "{\"images\":[");
    for (int i = 0; i < r->image_count; i++) {
        buf_printf(out, "%s{\"id\":%lld,\"path\":", i ? "," : "", (long long)r->images[i].id);
        buf_json(out, r->images[i].path);
        buf_printf(out, ",\"status\":\"%s\"%s}", image_status_name(r->images[i].status),
                   r->images[i].existing ? ",\"existing\":true" : "");
    }
    buf_str(out, "]}");
}

static void on_submitted(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct receiver_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct call *call = context;
    struct buf out = {0};
    int fresh = 0;

    if (!reply_failed(call->request, status, reply)) {
        for (int i = 0; i < r->image_count; i++) {
            fresh += !r->images[i].existing;
            log_event(LOG_INFO, r->images[i].existing ? "already there" : "accepted", LOG_INT("image", r->images[i].id),
                      LOG_STR("path", r->images[i].path), LOG_STR("request", http_request_id(call->request)));
        }
        metric_add(&accepted, fresh);
        metric_add(&repeated, r->image_count - fresh);
        if (call->op == OP_IMAGE_POST) {
            write_lines(&out, r);
            http_reply_buf(call->request, 200, "text/plain; charset=utf-8", &out);
        } else {
            write_json(&out, r);
            reply_json(call->request, 202, &out);
        }
        if (fresh)
            msg_tell_waiting(self, config->waiting, r->images, r->image_count);
    }
    call_free(call);
}

/* --- paths --- */

struct list { /* checked paths, in the message that will carry them */
    struct actor *self;
    struct http_request *request;
    struct store_submit *m;
    const char **paths;
    size_t capacity;
    bool refused;
};

static void refuse(struct list *l, int status, const char *slug, const char *detail)
{
    if (!l->refused && l->m->count > 0)
        http_problem(l->request, status, slug, "Path number %d: %s", l->m->count + 1, detail);
    else if (!l->refused)
        http_problem(l->request, status, slug, "%s", detail);
    l->refused = true;
}

static void add_path(struct list *l, const char *path, size_t len)
{
    const struct receiver_config *config = actor_config(l->self);
    char name[PATH_MAX];
    struct error error;
    int status;

    if (l->refused)
        return;
    if ((size_t)l->m->count == config->max_paths) {
        http_problem(l->request, 413, "too-many-paths", "More than %zu paths in one request (KITH_MAX_PATHS).",
                     config->max_paths);
        l->refused = true;
        return;
    }
    status = path_normalize(config->roots, path, len, config->max_path, name, sizeof name, &error);
    if (status < 0) {
        refuse(l, status == -EACCES ? 403 : 400, status == -EACCES ? "outside" : "bad-path", error.text);
        return;
    }
    if ((size_t)l->m->count == l->capacity) {
        size_t more = l->capacity ? l->capacity * 4 : 1;
        const char **paths = arena_alloc(&l->m->m.arena, more * sizeof *paths);

        if (l->capacity)
            memcpy(paths, l->paths, l->capacity * sizeof *paths);
        l->paths = paths;
        l->capacity = more;
        l->m->paths = paths;
    }
    l->paths[l->m->count++] = arena_text(&l->m->m.arena, name);
}

static void add_value(struct list *l, json_t *value)
{
    if (json_is_object(value))
        value = json_object_get(value, "path");
    if (!value)
        refuse(l, 400, "missing", "“path” is missing.");
    else if (!json_is_string(value))
        refuse(l, 400, "wrong-type", "A path must be a string.");
    else
        add_path(l, json_string_value(value), json_string_length(value));
}

static void add_object(struct list *l)
{
    json_t *object = body_object(l->request), *paths, *value;
    size_t i;

    if (!object) {
        l->refused = true;
        return;
    }
    paths = json_object_get(object, "paths");
    if (paths && !json_is_array(paths))
        refuse(l, 400, "wrong-type", "“paths” must be an array.");
    else if (paths && json_array_size(paths) == 0)
        refuse(l, 400, "missing", "“paths” is empty.");
    else if (!paths)
        add_value(l, object);
    json_array_foreach(paths, i, value) add_value(l, value);
    json_decref(object);
}

static void add_lines(struct list *l)
{
    size_t len, n;
    const char *at = http_request_body(l->request, &len), *end = at + len;
    json_error_t error;

    for (; at && at < end && !l->refused; at += n + 1) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        json_t *value;

        n = newline ? (size_t)(newline - at) : (size_t)(end - at);
        if (strspn(at, " \t\r\n") >= n)
            continue;
        value = json_loadb(at, n, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
        if (value)
            add_value(l, value);
        else
            refuse(l, 400, "not-json", "A line is not JSON.");
        json_decref(value);
    }
    if (!l->refused && l->m->count == 0)
        refuse(l, 400, "no-body", "The request holds no path.");
}

/* --- submitting --- */

/* A key makes a repeated request the same request; the hash of what came says whether it really is. */
static bool take_key(struct http_request *request, struct store_submit *m)
{
    char key[KEY_BYTES], hash[SHA256_HEX_BYTES];
    size_t len;
    const char *body = http_request_body(request, &len);

    if (!http_request_has_header(request, "idempotency-key"))
        return true;
    if (!http_request_header(request, "idempotency-key", key, sizeof key)) {
        http_problem(request, 400, "wrong-value", "The Idempotency-Key has more than %d bytes.", KEY_BYTES - 1);
        return false;
    }
    if (!key[0]) {
        http_problem(request, 400, "wrong-value", "The Idempotency-Key is empty.");
        return false;
    }
    sha256_hex(body ? body : "", len, hash);
    m->idempotency_key = arena_text(&m->m.arena, key);
    m->request_hash = arena_text(&m->m.arena, hash);
    return true;
}

static void submit(struct actor *self, struct call *call, struct store_submit *m)
{
    const struct receiver_config *config = actor_config(self);

    if (http_request_trace(call->request)[0])
        m->trace = arena_text(&m->m.arena, http_request_trace(call->request));
    m->m.head.size_bytes += m->m.arena.total;
    actor_ask(self, "store", &m->m.head, config->store_ms, on_submitted, call);
}

static void on_paths(struct actor *self, struct http_request *request, int op, bool lines)
{
    struct list l = {.self = self, .request = request, .m = STORE_MESSAGE(STORE_SUBMIT, store_submit)};

    if (lines)
        add_lines(&l);
    else
        add_object(&l);
    if (l.refused || !take_key(request, l.m)) {
        msg_unref(&l.m->m.head);
        return;
    }
    submit(self, call_new(self, request, op), l.m);
}

/* --- bytes --- */

static void free_upload(struct upload *up)
{
    call_free(up->call);
    free(up->bytes);
    free(up);
}

static void on_bytes(struct actor *self, struct http_request *request)
{
    const struct receiver_config *config = actor_config(self);
    struct upload *up;
    struct spool_job *job;
    size_t len;
    const char *body = http_request_body(request, &len);
    struct image_header header;

    if (!body || len == 0) {
        http_problem(request, 400, "no-body", "The request has no body.");
        return;
    }
    if (!config->spool) {
        http_problem(request, 503, "no-spool",
                     "Uploads need a folder that all nodes share (KITH_SPOOL); paths go without.");
        return;
    }
    header = sniff((const uint8_t *)body, len);
    if (header.type == IMAGE_UNKNOWN || header.width == 0) {
        http_problem(request, 415, "bad-image", "The body is not an image kith knows (JPEG, PNG or WebP).");
        return;
    }
    if (len > config->max_image) {
        http_problem(request, 413, "too-large", "The image has %zu bytes; the limit is %zu (KITH_MAX_IMAGE).", len,
                     config->max_image);
        return;
    }
    up = calloc(1, sizeof *up);
    if (!up || !(up->bytes = malloc(len)))
        abort();
    memcpy(up->bytes, body, len);
    up->call = call_new(self, request, OP_SUBMIT);
    job = spool_job_new(MSG_RECEIVER_SPOOLED, config->spool, up->bytes, len, up);
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &job->head, spool_work) < 0) {
        http_problem(request, 503, "busy", "Too many images are being written.");
        free_upload(up);
    }
}

static void on_spooled(struct actor *self, const struct spool_job *job)
{
    struct upload *up = job->context;
    struct store_submit *m;
    const char **paths;

    if (job->status < 0) {
        http_problem(up->call->request, job->status == -ENOSPC ? 507 : 500, "spool", "%s", job->error.text);
        free_upload(up);
        return;
    }
    m = STORE_MESSAGE(STORE_SUBMIT, store_submit);
    paths = arena_alloc(&m->m.arena, sizeof *paths);
    paths[0] = arena_text(&m->m.arena, job->path);
    m->paths = paths;
    m->count = 1;
    m->spooled = true;
    m->sha256 = arena_text(&m->m.arena, job->sha256);
    if (take_key(up->call->request, m)) {
        submit(self, up->call, m);
        up->call = NULL;
    } else {
        msg_unref(&m->m.head);
    }
    if (up->call)
        call_free(up->call);
    free(up->bytes);
    free(up);
}

/* --- the actor --- */

static void on_http(struct actor *self, struct http_request *request)
{
    int op = (int)http_request_route(request)->op;
    char type[64] = "";

    http_request_header(request, "content-type", type, sizeof type);
    if (strncmp(type, "multipart/", 10) == 0)
        http_problem(request, 415, "multipart", "Send the bytes of one image as the body itself, or a JSON of paths.");
    else if (op == OP_SUBMIT && strncmp(type, "application/x-ndjson", 20) == 0)
        on_paths(self, request, op, true);
    else if (op == OP_SUBMIT && body_is_image(request))
        on_bytes(self, request);
    else
        on_paths(self, request, op, false);
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
        on_http(self, ((const struct msg_http *)m)->request);
    else if (m->type == MSG_RECEIVER_SPOOLED)
        on_spooled(self, (const struct spool_job *)m);
}

static const uint32_t receiver_accepts[] = {MSG_HTTP, MSG_RECEIVER_SPOOLED, 0};

const struct actor_ops receiver_actor = {
    .name = "receiver",
    .start = receiver_start,
    .accepts = receiver_accepts,
    .receive = receiver_receive,
};
