/* Photos, thumbnails and face crops over HTTP.
 *
 * A file thread checks first that the image's file has the content that was looked at (409 when it has another one),
 * so that a face is not cut out of another picture.
 *
 *   /photo            the file itself, read on a file thread
 *   /photo?width=96   a small JPEG ─┐ in the cache ─────▶ read on a file thread
 *   /faces/0/crop     one face     ─┤
 *   /portrait         a person     ─┘ not in the cache ─▶ made by a worker process ─▶ answered and written to the cache
 *
 * At most READS_MAX reads are under way, so that photos that nobody fetches fill neither the memory nor the file
 * threads; the others wait in a list. The parent process decodes no image. The cache's file names begin with the hash
 * of the image's bytes.
 */
#include "actors/frontend/pictures.h"

#include "actors/api/ops.h"
#include "actors/api/problem.h"
#include "actors/api/request.h"
#include "actors/frontend/pictures_internal.h"
#include "core/base/disk.h"
#include "core/base/must.h"
#include "core/image/formats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { SIDE_MIN = 16, SIDE_MAX = 2048, CROP_SIDE = 256 };
enum { READS_MAX = 8, WAITING_MAX = 4096, PHOTO_ROOM = 1 << 20 };

struct pictures {
    struct picture_view *waiting; /* for a read */
    int waiting_count, reading;
};

static void pictures_free_view(struct picture_view *v)
{
    call_free(v->call);
    free(v->path);
    free(v->cache);
    free(v);
}

/* --- answering --- */

static void pictures_read(struct actor *self, struct picture_view *v)
{
    const struct pictures_config *config = actor_config(self);
    struct pictures *p = actor_state(self);
    struct picture_read *m;

    if (cancel_is_set(http_request_cancel(v->call->request)) ||
        (!v->side && !http_answer_fits(v->call->request, PHOTO_ROOM))) {
        pictures_free_view(v);
        return;
    }
    m = picture_read_new(config, v);
    p->reading++;
    if (offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &m->head, picture_read_work) <
        0) {
        p->reading--;
        http_problem(v->call->request, 503, "busy", "Too many files wait to be read.");
        pictures_free_view(v);
    }
}

static void pictures_read_waiting(struct actor *self)
{
    struct pictures *p = actor_state(self);
    struct picture_view *v;

    while (p->reading < READS_MAX && (v = p->waiting)) {
        DL_DELETE(p->waiting, v);
        p->waiting_count--;
        pictures_read(self, v);
    }
}

static void pictures_start_read(struct actor *self, struct picture_view *v)
{
    struct pictures *p = actor_state(self);

    if (p->waiting_count == WAITING_MAX) {
        http_problem(v->call->request, 503, "busy", "Too many files wait to be read.");
        pictures_free_view(v);
        return;
    }
    DL_APPEND(p->waiting, v);
    p->waiting_count++;
    pictures_read_waiting(self);
}

static void pictures_send(struct picture_view *v, const char *type, const void *data, size_t len)
{
    http_add_header(v->call->request, "cache-control", "private, no-cache"); /* a deleted picture is not shown again */
    http_reply(v->call->request, 200, type, data, len);
    pictures_free_view(v);
}

static void pictures_refuse_changed(struct picture_view *v)
{
    http_problem(v->call->request, 409, "changed",
                 "The file has changed since it was looked at; submit its path again to look at it again.");
    pictures_free_view(v);
}

/* --- the cache --- */

static void pictures_uncache(struct actor *self, char *path)
{
    const struct pictures_config *config = actor_config(self);

    offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &picture_uncache_new(path)->head,
                picture_uncache_work);
}

/* `context`: the path, owned. Without an answer the file goes too: it can be made again. */
static void pictures_on_still_there(struct actor *self, void *context, int status, const struct msg *reply)
{
    if (status == ACTOR_OK && ((const struct store_reply *)reply)->status == STORE_OK)
        free(context);
    else
        pictures_uncache(self, context);
}

/* The image may have been deleted between the request and the writing of its file, which the deletion did not find. */
static void pictures_on_written(struct actor *self, const struct picture_write *w)
{
    const struct pictures_config *config = actor_config(self);
    struct store_id *m = STORE_MESSAGE(STORE_IMAGE, store_id);

    m->id = w->image;
    actor_ask(self, "store", &m->m.head, config->store_ms, pictures_on_still_there, strdup(w->path));
}

static void pictures_cache(struct actor *self, int64_t image, char *path, const struct worker_event *event)
{
    const struct pictures_config *config = actor_config(self);
    struct picture_write *m = picture_write_new(config, path, event);

    m->image = image;

    offload_run(config->files, actor_find(actor_system_of(self), actor_name(self)), &m->head, picture_write_work);
}

static void pictures_on_made(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct msg_recognized *r = (const struct msg_recognized *)reply;
    struct picture_view *v = context;

    if (recognition_failed(v->call->request, status, reply)) {
        pictures_free_view(v);
        return;
    }
    if (v->sha256[0] && strcmp(v->sha256, r->event->done.sha256) != 0) { /* it was written after the check */
        pictures_refuse_changed(v);
        return;
    }
    if (v->cache) {
        pictures_cache(self, v->call->id, v->cache, r->event);
        v->cache = NULL;
    }
    pictures_send(v, "image/jpeg", r->event->picture, r->event->picture_len);
}

static void pictures_make(struct actor *self, struct picture_view *v)
{
    const struct pictures_config *config = actor_config(self);
    struct msg_recognize *m = msg_recognize_new(JOB_PICTURE, v->path, NULL, 0);

    m->urgent = true;
    m->side = v->side;
    m->x = v->x;
    m->y = v->y;
    m->width = v->width;
    m->height = v->height;
    actor_ask(self, config->recognizer, &m->head, config->call_ms, pictures_on_made, v);
}

/* The original file of an image cannot be read. */
static void pictures_refuse(struct picture_view *v, const struct error *error)
{
    struct http_request *request = v->call->request;

    if (disk_fault_of(error->code) != DISK_FAULT_FILE)
        http_problem(request, 503, "unreadable", "%s", error->text);
    else if (error->code == -ENOENT)
        http_problem(request, 404, "gone", "%s", error->text);
    else
        http_problem(request, 422, "bad-image", "%s", error->text);
    pictures_free_view(v);
}

static void pictures_send_original(struct picture_view *v, const struct picture_read *m)
{
    const char *type = image_format(sniff(m->data, m->len).type)->content_type;

    if (type) {
        pictures_send(v, type, m->data, m->len);
        return;
    }
    /* without a type, a browser would guess one */
    http_problem(v->call->request, 415, "bad-image", "The file is not an image that kith knows: %s.",
                 image_formats_text());
    pictures_free_view(v);
}

static void pictures_on_read(struct actor *self, const struct picture_read *m)
{
    struct pictures *p = actor_state(self);
    struct picture_view *v = m->view;

    if (p->reading > 0) /* a read that was begun before a restart is not counted */
        p->reading--;
    if (m->error.code) {
        pictures_refuse(v, &m->error);
        return;
    }
    if (m->changed) {
        pictures_refuse_changed(v);
        return;
    }
    if (v->etag[0] && http_not_modified(v->call->request, v->etag))
        pictures_free_view(v);
    else if (!v->side)
        pictures_send_original(v, m);
    else if (m->data)
        pictures_send(v, "image/jpeg", m->data, m->len);
    else
        pictures_make(self, v);
}

/* A crop is the box and a margin of a quarter of its width. */
static void pictures_show_face(struct picture_view *v, const struct face *f)
{
    double margin = 0.25 * (double)f->width;

    v->x = (double)f->x - margin > 0 ? (double)f->x - margin : 0;
    v->y = (double)f->y - margin > 0 ? (double)f->y - margin : 0;
    v->width = (double)(f->x + f->width) + margin - v->x;
    v->height = (double)(f->y + f->height) + margin - v->y;
}

/* False: answered. */
static bool pictures_choose_face(struct picture_view *v, const struct image *image)
{
    char *end;
    long n;

    if (v->call->op == OP_PORTRAIT) { /* a photo is shown whole */
        if (image->face_count && image->faces[0].width > 0)
            pictures_show_face(v, &image->faces[0]);
        return true;
    }
    n = strtol(http_request_part(v->call->request, 1), &end, 10);
    if (*end || n < 0 || n >= image->face_count) {
        http_problem(v->call->request, 404, "not-found", "Image %lld has %d faces.", (long long)image->id,
                     image->face_count);
        return false;
    }
    pictures_show_face(v, &image->faces[n]);
    return true;
}

static void pictures_name_cache(const struct pictures_config *config, struct picture_view *v, const char *sha256)
{
    char path[PATH_MAX];

    if (strlen(sha256) != SHA256_HEX_BYTES - 1)
        return;
    snprintf(path, sizeof path, "%s/%.2s/%s-%u-%.0f-%.0f-%.0f-%.0f.jpg", config->thumbs, sha256, sha256, v->side, v->x,
             v->y, v->width, v->height);
    v->cache = strdup(path);
}

static void pictures_on_image(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct pictures_config *config = actor_config(self);
    const struct store_reply *r = (const struct store_reply *)reply;
    const struct image *image = r->images; /* there is one unless the ask failed */
    struct picture_view *v = context;

    if (reply_failed(v->call->request, status, reply) || (v->call->op != OP_PHOTO && !pictures_choose_face(v, image))) {
        pictures_free_view(v);
        return;
    }
    v->path = strdup(image->path);
    v->spooled = image->spooled;
    v->file = image->file;
    if (image->sha256) {
        snprintf(v->sha256, sizeof v->sha256, "%s", image->sha256);
        snprintf(v->etag, sizeof v->etag, "\"%s-%u-%.0f-%.0f-%.0f-%.0f\"", v->sha256, v->side, v->x, v->y, v->width,
                 v->height);
        v->has_it = http_etag_matches(v->call->request, v->etag);
    }
    if (v->side)
        pictures_name_cache(config, v, v->sha256);
    pictures_start_read(self, v);
}

static void pictures_on_http(struct actor *self, struct http_request *request)
{
    const struct pictures_config *config = actor_config(self);
    int op = (int)http_request_route(request)->op;
    struct store_id *m;
    struct picture_view *v;
    int64_t id, side = op == OP_PHOTO ? 0 : CROP_SIDE;

    if (!part_number(request, 0, &id))
        return;
    if (!query_number(request, "width", SIDE_MIN, SIDE_MAX, &side))
        return;
    v = calloc(1, sizeof *v);
    if (!v)
        out_of_memory();
    v->call = call_new(self, request, op);
    v->call->id = id;
    v->side = (uint32_t)side;
    m = STORE_MESSAGE(op == OP_PORTRAIT ? STORE_PORTRAIT : STORE_IMAGE, store_id);
    m->id = id;
    actor_ask(self, "store", &m->m.head, config->store_ms, pictures_on_image, v);
}

static void pictures_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_HTTP)
        pictures_on_http(self, ((const struct msg_http *)m)->request);
    else if (m->type == MSG_PICTURES_READ)
        pictures_on_read(self, (const struct picture_read *)m);
    else if (m->type == MSG_PICTURES_WRITTEN)
        pictures_on_written(self, (const struct picture_write *)m);
    pictures_read_waiting(self);
}

static void pictures_stop(struct actor *self)
{
    struct pictures *p = actor_state(self);
    struct picture_view *v, *next;

    DL_FOREACH_SAFE(p->waiting, v, next)
    {
        DL_DELETE(p->waiting, v);
        pictures_free_view(v);
    }
}

static const uint32_t pictures_accepts[] = {MSG_HTTP, MSG_PICTURES_READ, MSG_PICTURES_WRITTEN, MSG_PICTURES_UNCACHED,
                                            0};

const struct actor_ops pictures_actor = {.name = "pictures",
                                         .state_size = sizeof(struct pictures),
                                         .accepts = pictures_accepts,
                                         .receive = pictures_receive,
                                         .stop = pictures_stop};
