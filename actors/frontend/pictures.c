/* Photos, thumbnails and face crops.
 *
 *   /photo            the file as it is, read on a files' thread
 *   /photo?width=96   a small JPEG ─┐ cached by the content's hash ─▶ read
 *   /faces/0/crop     one face     ─┘ not there yet ─▶ a worker makes it (no picture is decoded here) ─▶ written
 */
#include "actors/frontend/pictures.h"

#include "actors/api/ops.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "core/base/log.h"
#include "core/image/sniff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIDE_MIN = 16, SIDE_MAX = 2048, CROP_SIDE = 256 };

struct view { /* one picture that is wanted */
    struct call *call;
    char *path;    /* of the image */
    uint32_t side; /* 0: the file as it is */
    double x, y, width, height;
    char *cache; /* its file in the cache, NULL: not to be kept */
};

struct msg_read {
    struct msg head;
    const struct pictures_config *config;
    struct view *view;
    bool original;
    uint8_t *data;
    size_t len;
    struct error error;
};

struct msg_written {
    struct msg head;
    const struct pictures_config *config;
    char *path;
    const struct worker_event *event;
};

static void view_free(struct view *v)
{
    call_free(v->call);
    free(v->path);
    free(v->cache);
    free(v);
}

int pictures_open(const char *data, char *thumbs, size_t size, struct error *error)
{
    char real[PATH_MAX], path[PATH_MAX + 8];

    if (!realpath(data, real) || snprintf(thumbs, size, "%s/thumbs", real) >= (int)size)
        return error_set(error, -errno, "KITH_DATA: %s: %s", data, strerror(errno));
    snprintf(path, sizeof path, "%.*s/tmp", (int)sizeof path - 8, thumbs);
    if ((mkdir(thumbs, 0750) < 0 && errno != EEXIST) || (mkdir(path, 0750) < 0 && errno != EEXIST))
        return error_set(error, -errno, "KITH_DATA: %s: %s", path, strerror(errno));
    return 0;
}

/* --- on a files' thread --- */

static void destroy_read(struct msg *m)
{
    free(((struct msg_read *)m)->data);
}

static void read_work(struct msg *m)
{
    struct msg_read *r = (struct msg_read *)m;
    size_t capacity = (size_t)64 << 10;
    ssize_t n = 1;
    int fd = r->original ? path_open(r->config->roots, r->view->path, &r->error)
                         : open(r->view->cache, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) {
        if (!r->original)
            r->error.code = -ENOENT;
        return;
    }
    while (n > 0 && r->len <= r->config->max_image) {
        if (!r->data || r->len == capacity) {
            capacity *= 2;
            r->data = realloc(r->data, capacity);
            if (!r->data)
                abort();
        }
        n = read(fd, r->data + r->len, capacity - r->len);
        r->len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (n < 0)
        error_set(&r->error, -EIO, "the file cannot be read");
    else if (r->len > r->config->max_image)
        error_set(&r->error, -EFBIG, "the file has more than %zu bytes (KITH_MAX_IMAGE)", r->config->max_image);
}

static void destroy_written(struct msg *m)
{
    struct msg_written *w = (struct msg_written *)m;

    free(w->path);
    msg_unref(&w->event->head);
}

static void write_work(struct msg *m)
{
    struct msg_written *w = (struct msg_written *)m;
    char folder[PATH_MAX];

    snprintf(folder, sizeof folder, "%s", w->path);
    *strrchr(folder, '/') = 0;
    mkdir(folder, 0750);
    /* A cache: what cannot be kept is made again. */
    spool_write(w->config->thumbs, w->path, w->event->picture, w->event->picture_len, 0, NULL);
}

/* --- answering --- */

static void start_read(struct actor *self, struct view *v, bool original)
{
    const struct pictures_config *config = actor_config(self);
    struct msg_read *m = (struct msg_read *)msg_new(MSG_PICTURES_READ, sizeof *m);

    m->head.destroy = destroy_read;
    m->config = config;
    m->view = v;
    m->original = original;
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &m->head, read_work) < 0) {
        http_problem(v->call->request, 503, "busy", "Too many files wait to be read.");
        view_free(v);
    }
}

static void send_picture(struct view *v, const char *type, const void *data, size_t len)
{
    http_add_header(v->call->request, "cache-control", "private, max-age=3600");
    http_reply(v->call->request, 200, type, data, len);
    view_free(v);
}

static void keep(struct actor *self, char *path, const struct worker_event *event)
{
    const struct pictures_config *config = actor_config(self);
    struct msg_written *m = (struct msg_written *)msg_new(MSG_PICTURES_WRITTEN, sizeof *m);

    msg_ref(&event->head);
    m->head.destroy = destroy_written;
    m->config = config;
    m->path = path;
    m->event = event;
    offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &m->head, write_work);
}

static void on_made(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct msg_recognized *r = (const struct msg_recognized *)reply;
    struct view *v = context;

    if (recognition_failed(v->call->request, status, reply)) {
        view_free(v);
        return;
    }
    if (v->cache) {
        keep(self, v->cache, r->event);
        v->cache = NULL;
    }
    send_picture(v, "image/jpeg", r->event->picture, r->event->picture_len);
}

static void make(struct actor *self, struct view *v)
{
    const struct pictures_config *config = actor_config(self);
    struct msg_recognize *m = msg_recognize_new(JOB_PICTURE, v->path, NULL, 0);

    m->urgent = true;
    m->side = v->side;
    m->x = v->x;
    m->y = v->y;
    m->width = v->width;
    m->height = v->height;
    actor_ask(self, config->recognizer, &m->head, config->call_ms, on_made, v);
}

static void on_read(struct actor *self, const struct msg_read *m)
{
    struct view *v = m->view;

    if (m->original && m->error.code) {
        http_problem(v->call->request, m->error.code == -ENOENT ? 404 : 422, "bad-image", "%s", m->error.text);
        view_free(v);
    } else if (m->original) {
        const char *type = sniff_content_type(sniff(m->data, m->len).type);

        if (type) {
            send_picture(v, type, m->data, m->len);
        } else { /* whatever it is, nobody's browser shall guess */
            http_problem(v->call->request, 415, "bad-image", "The file is not an image kith knows.");
            view_free(v);
        }
    } else if (m->error.code) {
        make(self, v);
    } else {
        send_picture(v, "image/jpeg", m->data, m->len);
    }
}

/* A crop shows a little more than the box. */
static bool choose_face(struct view *v, const struct image *image)
{
    char *end;
    long n = strtol(http_request_part(v->call->request, 1), &end, 10);
    const struct face *f;
    double margin;

    if (*end || n < 0 || n >= image->face_count) {
        http_problem(v->call->request, 404, "not-found", "Image %lld has %d faces.", (long long)image->id,
                     image->face_count);
        return false;
    }
    f = &image->faces[n];
    margin = 0.25 * (double)f->width;
    v->x = (double)f->x - margin > 0 ? (double)f->x - margin : 0;
    v->y = (double)f->y - margin > 0 ? (double)f->y - margin : 0;
    v->width = (double)(f->x + f->width) + margin - v->x;
    v->height = (double)(f->y + f->height) + margin - v->y;
    return true;
}

static void name_cache(const struct pictures_config *config, struct view *v, const char *sha256)
{
    char path[PATH_MAX];

    if (!sha256 || strlen(sha256) != SHA256_HEX_BYTES - 1)
        return;
    snprintf(path, sizeof path, "%s/%.2s/%s-%u-%.0f-%.0f-%.0f-%.0f.jpg", config->thumbs, sha256, sha256, v->side, v->x,
             v->y, v->width, v->height);
    v->cache = strdup(path);
}

static void on_image(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct pictures_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    struct view *v = context;
    char etag[SHA256_HEX_BYTES + 48];

    if (reply_failed(v->call->request, status, reply) || (v->call->op == OP_CROP && !choose_face(v, &r->images[0]))) {
        view_free(v);
        return;
    }
    v->path = strdup(r->images[0].path);
    if (v->side)
        name_cache(config, v, r->images[0].sha256);
    if (r->images[0].sha256) {
        snprintf(etag, sizeof etag, "\"%s-%u-%.0f-%.0f-%.0f\"", r->images[0].sha256, v->side, v->x, v->y, v->width);
        if (http_not_modified(v->call->request, etag)) {
            view_free(v);
            return;
        }
    }
    if (v->side && !v->cache)
        make(self, v);
    else
        start_read(self, v, !v->side);
}

static void on_http(struct actor *self, struct http_request *request)
{
    const struct pictures_config *config = actor_config(self);
    int op = (int)http_request_route(request)->op;
    struct store_id *m;
    struct view *v;
    int64_t id, side = op == OP_CROP ? CROP_SIDE : 0;

    if (!part_number(request, 0, &id))
        return;
    if (!query_number(request, "width", SIDE_MIN, SIDE_MAX, &side))
        return;
    v = calloc(1, sizeof *v);
    if (!v)
        abort();
    v->call = call_new(self, request, op);
    v->side = (uint32_t)side;
    m = STORE_MESSAGE(STORE_IMAGE, store_id);
    m->id = id;
    actor_ask(self, "store", &m->m.head, config->store_ms, on_image, v);
}

static void pictures_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_HTTP)
        on_http(self, ((const struct msg_http *)m)->request);
    else if (m->type == MSG_PICTURES_READ)
        on_read(self, (const struct msg_read *)m);
}

static const uint32_t pictures_accepts[] = {MSG_HTTP, MSG_PICTURES_READ, MSG_PICTURES_WRITTEN, 0};

const struct actor_ops pictures_actor = {.name = "pictures", .accepts = pictures_accepts, .receive = pictures_receive};
