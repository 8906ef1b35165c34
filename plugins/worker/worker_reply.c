#include "plugins/worker/worker_internal.h"

#include "core/base/must.h"
#include "plugins/shared/face_check.h"
#include "plugins/worker/image/quality.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int reply_packet(const struct child *c, uint32_t kind, uint64_t serial, const void *a, size_t a_len, const void *b,
                 size_t b_len)
{
    struct packet head = {.kind = kind, .len = (uint32_t)(a_len + b_len), .serial = serial};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)(uintptr_t)a, a_len}, {(void *)(uintptr_t)b, b_len}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 3};
    ssize_t n;

    do
        n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

int reply_refused(const struct child *c, const char *reason)
{
    reply_packet(c, PACKET_REFUSED, 0, reason, strlen(reason) + 1, NULL, 0);
    return 1;
}

int reply_hello(const struct child *c)
{
    const struct kith_recognizer *r = c->plugin;
    struct packet_hello h = {.metric = r->metric,
                             .dimension = r->dimension,
                             .threshold = r->threshold,
                             .needs = r->needs,
                             .files = c->files};

    snprintf(h.name, sizeof h.name, "%s", r->name);
    snprintf(h.version, sizeof h.version, "%s", r->version);
    snprintf(h.model, sizeof h.model, "%s", r->model_id);
    return reply_packet(c, PACKET_HELLO, 0, &h, sizeof h, NULL, 0) < 0 ? 1 : 0;
}

void reply_set_failure(struct child_job *job, enum work_status status, const char *reason)
{
    job->done.status = (uint32_t)status;
    snprintf(job->done.reason, sizeof job->done.reason, "%s", reason);
}

void reply_picture(const struct child *c, const struct child_job *job, const uint8_t *jpeg, size_t len)
{
    for (size_t at = 0; at < len; at += PICTURE_PART)
        reply_packet(c, PACKET_PICTURE, job->serial, jpeg + at, len - at < PICTURE_PART ? len - at : PICTURE_PART, NULL,
                     0);
}

/* The size that the plug-in declares comes first: members beyond it do not exist. */
static int reply_check_face(const struct child *c, const struct kith_face *f, const struct pixels *pixels,
                            struct error *error)
{
    const struct kith_recognizer *r = c->plugin;
    const struct face_rules rules = {.metric = r->metric,
                                     .dimension = r->dimension,
                                     .picture_width = pixels->rgb ? pixels->width : 0,
                                     .picture_height = pixels->height};

    if (f->size < sizeof *f)
        return error_set(error, -EINVAL, "the recogniser returned an invalid face: its size is %u bytes, not %zu",
                         f->size, sizeof *f);
    return face_check(&(struct face_numbers){.x = f->x,
                                             .y = f->y,
                                             .width = f->width,
                                             .height = f->height,
                                             .quality = f->quality,
                                             .label_distance = f->label_distance,
                                             .landmark_count = f->landmark_count,
                                             .dimension = r->dimension,
                                             .landmarks = f->landmarks,
                                             .embedding = f->embedding,
                                             .has_label = f->label != NULL},
                      &rules, error);
}

/* Converts from pixels of the decoded image to pixels of the full picture. */
static int reply_face(struct child *c, const struct child_job *job, const struct kith_face *f,
                      const struct pixels *pixels)
{
    enum quality_flaw flaw = FLAW_DETECTOR;
    const double scale = pixels->scale;
    const float quality = c->plugin->needs & KITH_NEEDS_QUALITY ? quality_of(pixels, f, &flaw) : f->quality;
    struct packet_face p = {.x = (float)(f->x / scale + job->left),
                            .y = (float)(f->y / scale + job->top),
                            .width = (float)(f->width / scale),
                            .height = (float)(f->height / scale),
                            .quality = quality,
                            .flaw = flaw,
                            .label_distance = f->label ? f->label_distance : 0,
                            .landmark_count = f->landmark_count,
                            .dimension = f->embedding ? c->plugin->dimension : 0,
                            .label_bytes = f->label ? (uint32_t)strnlen(f->label, 255) + 1 : 0};

    c->out.len = 0;
    for (uint32_t i = 0; i < f->landmark_count * 2; i++) {
        float v = (float)(f->landmarks[i] / scale + (i % 2 ? job->top : job->left));

        buf_add(&c->out, &v, sizeof v);
    }
    if (f->embedding)
        buf_add(&c->out, f->embedding, p.dimension * sizeof(float));
    if (f->label) {
        buf_add(&c->out, f->label, p.label_bytes - 1);
        buf_add(&c->out, "", 1);
    }
    return reply_packet(c, PACKET_FACE, job->serial, &p, sizeof p, c->out.data, c->out.len);
}

static int reply_compare_areas(const void *a, const void *b)
{
    const struct kith_face *f = a, *g = b;
    float d = g->width * g->height - f->width * f->height;

    return d > 0 ? 1 : d < 0 ? -1 : 0;
}

void reply_faces(struct child *c, struct child_job *job, const struct kith_result *result, const struct pixels *pixels)
{
    uint32_t count = result->face_count;
    struct kith_face *faces = calloc((size_t)count + 1, sizeof *faces);
    struct error error;

    if (!faces)
        out_of_memory();
    for (uint32_t i = 0; i < count; i++) {
        if (reply_check_face(c, &result->faces[i], pixels, &error) < 0) {
            reply_set_failure(job, WORK_FAILED, error.text);
            goto out;
        }
        faces[i] = result->faces[i];
    }
    qsort(faces, count, sizeof *faces, reply_compare_areas);
    if (count > c->config.max_faces)
        count = c->config.max_faces;
    for (uint32_t i = 0; i < count; i++)
        reply_face(c, job, &faces[i], pixels);
    job->done.face_count = count;
out:
    free(faces);
}
