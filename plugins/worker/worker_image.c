#include "plugins/worker/worker_internal.h"

#include "core/base/disk.h"
#include "core/base/must.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { JPEG_QUALITY = 85, FACES_LIMIT = 100000 /* a larger face count of a plug-in is an error */ };

/* Reads the whole file into memory, to its end or to KITH_MAX_IMAGE. The size that the file system reports is only a
 * first guess: the file may grow. */
static bool image_read_file(const struct child *c, struct child_job *job, int fd)
{
    size_t capacity = (size_t)256 << 10, max = c->config.max_image;
    off_t size = lseek(fd, 0, SEEK_END);
    ssize_t n = 1;
    enum work_status status = WORK_BAD_IMAGE;
    char reason[REASON_BYTES];

    if (size > 0)
        capacity = (size_t)size < max ? (size_t)size + 1 : max + 1;
    for (job->bytes = NULL; n > 0 && job->len <= max;) {
        if (!job->bytes || job->len == capacity) {
            capacity = job->bytes ? capacity * 2 : capacity;
            job->bytes = realloc(job->bytes, capacity);
            if (!job->bytes)
                out_of_memory();
        }
        n = pread(fd, job->bytes + job->len, capacity - job->len, (off_t)job->len);
        if (n > 0)
            job->len += (size_t)n;
    }
    if (n < 0) {
        if (disk_fault_of(errno) != DISK_FAULT_FILE)
            status = WORK_FAILED;
        snprintf(reason, sizeof reason, "cannot read the file: %s", strerror(errno));
    } else if (job->len > max) {
        snprintf(reason, sizeof reason, "the file has more than %zu bytes (KITH_MAX_IMAGE)", max);
    } else {
        return true;
    }
    reply_set_failure(job, status, reason);
    return false;
}

static bool image_is_quarantined(const struct child *c, const char *sha256)
{
    for (size_t i = 0; i < c->quarantine_count; i++)
        if (memcmp(c->quarantine + i * SHA256_HEX_BYTES, sha256, SHA256_HEX_BYTES) == 0)
            return true;
    return false;
}

/* The smallest scale at which a face of KITH_MIN_FACE still has the width that the plug-in needs; 1: full size. */
static double image_useful_scale(const struct child *c)
{
    const struct kith_recognizer *r = c->plugin;
    const bool has_face_side = r->size >= offsetof(struct kith_recognizer, face_side) + sizeof r->face_side;

    return has_face_side && r->face_side && c->min_face > r->face_side ? r->face_side / c->min_face : 1;
}

static double image_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct image_limits image_make_limits(const struct child *c)
{
    return (struct image_limits){.max_pixels = c->config.max_pixels, .max_scans = c->config.max_scans};
}

/* The part of the request, whose numbers are pixels of the full picture. */
static void image_cut_part(const struct pixels *pixels, const struct packet_job *r, uint32_t side, struct pixels *part)
{
    const double scale = pixels->scale;

    pixels_part(pixels, (int64_t)(r->x * scale), (int64_t)(r->y * scale), (int64_t)(r->width * scale),
                (int64_t)(r->height * scale), side, part);
}

/* Replaces the picture by the part that shall be recognised. */
static void image_take_part(const struct child *c, struct child_job *job, struct pixels *pixels)
{
    const struct packet_job *r = job->request;
    struct pixels part;

    image_cut_part(pixels, r, c->plugin->wanted_side, &part);
    job->left = r->x > 0 ? floor(fmin(r->x * pixels->scale, pixels->width - 1.0)) / pixels->scale : 0;
    job->top = r->y > 0 ? floor(fmin(r->y * pixels->scale, pixels->height - 1.0)) / pixels->scale : 0;
    part.scale *= pixels->scale;
    part.picture_width = pixels->picture_width;
    part.picture_height = pixels->picture_height;
    pixels_free(pixels);
    *pixels = part;
}

static bool image_decode(const struct child *c, struct child_job *job, struct pixels *pixels, struct kith_image *image)
{
    const struct image_limits limits = image_make_limits(c);
    struct error error = {0};
    double begin_ms = image_now_ms();
    const bool part_only = job->request->width > 0;

    if (decode(job->bytes, job->len, &limits, part_only ? 0 : c->plugin->wanted_side,
               part_only ? 1 : image_useful_scale(c), pixels, &error) < 0) {
        reply_set_failure(job, WORK_BAD_IMAGE, error.text);
        return false;
    }
    job->done.decode_ms = (float)(image_now_ms() - begin_ms);
    job->done.width = pixels->picture_width;
    job->done.height = pixels->picture_height;
    job->done.partial = pixels->partial;
    if (part_only)
        image_take_part(c, job, pixels);
    image->rgb = pixels->rgb;
    image->width = pixels->width;
    image->height = pixels->height;
    image->stride = pixels->width * 3;
    image->scale = pixels->scale;
    return true;
}

static void image_recognize(struct child *c, struct child_job *job)
{
    struct pixels pixels = {.scale = 1};
    struct kith_image image = {.size = sizeof image,
                               .path = job->path,
                               .scale = 1,
                               .max_faces = c->config.max_faces,
                               .trace = job->request->trace,
                               .jitters = job->request->enrol ? c->jitters : 0};
    struct kith_result result = {.size = sizeof result};
    char reason[REASON_BYTES] = "";
    int status;

    if ((c->plugin->needs & KITH_NEEDS_PIXELS) && !image_decode(c, job, &pixels, &image))
        return;
    if (c->plugin->needs & KITH_NEEDS_BYTES) {
        image.bytes = job->bytes;
        image.bytes_len = job->len;
    }
    status = c->plugin->recognize(c->instance, &image, &result, reason, sizeof reason);
    reason[sizeof reason - 1] = 0;
    if (status == KITH_OK && (result.face_count > FACES_LIMIT || (result.face_count && !result.faces)))
        reply_set_failure(job, WORK_FAILED, "the recogniser returned an invalid number of faces");
    else if (status == KITH_OK)
        reply_faces(c, job, &result, &pixels);
    else
        reply_set_failure(job, status == KITH_BAD_IMAGE ? WORK_BAD_IMAGE : WORK_FAILED,
                          reason[0] ? reason : "the recogniser failed and gave no reason");
    for (int i = 0; i < KITH_STAGES; i++)
        job->done.stage_ms[i] = isfinite(result.stage_ms[i]) ? result.stage_ms[i] : 0;
    pixels_free(&pixels);
}

static void image_make_picture(const struct child *c, struct child_job *job)
{
    const struct packet_job *r = job->request;
    const struct image_limits limits = image_make_limits(c);
    const bool part_only = r->width > 0;
    struct pixels whole, part;
    struct error error = {0};
    uint8_t *jpeg = NULL;
    size_t len = 0;

    if (decode(job->bytes, job->len, &limits, part_only ? 0 : r->side, 1, &whole, &error) < 0) {
        reply_set_failure(job, WORK_BAD_IMAGE, error.text);
        return;
    }
    job->done.width = whole.picture_width;
    job->done.height = whole.picture_height;
    if (part_only)
        image_cut_part(&whole, r, r->side, &part);
    else
        part = whole;
    jpeg = pixels_jpeg(&part, JPEG_QUALITY, &len);
    if (jpeg)
        reply_picture(c, job, jpeg, len);
    else
        reply_set_failure(job, WORK_BAD_IMAGE, "cannot make a JPEG of the picture");
    free(jpeg);
    if (part_only)
        pixels_free(&part);
    pixels_free(&whole);
}

void job_run(struct child *c, struct child_job *job, int fd)
{
    const bool by_path = !(c->plugin->needs & (KITH_NEEDS_PIXELS | KITH_NEEDS_BYTES));
    char reason[REASON_BYTES] = "";

    if (fd < 0 && (!by_path || job->request->kind == JOB_PICTURE)) {
        reply_set_failure(job, WORK_BAD_IMAGE, "there is no file");
        return;
    }
    if (fd >= 0 && !image_read_file(c, job, fd))
        return;
    if (fd >= 0) { /* if this image crashes the process, the parent knows which one it was */
        sha256_hex(job->bytes, job->len, job->done.sha256);
        reply_packet(c, PACKET_SEEN, job->serial, job->done.sha256, SHA256_HEX_BYTES, NULL, 0);
    }
    if (image_is_quarantined(c, job->done.sha256)) {
        reply_set_failure(job, WORK_QUARANTINED, "poison");
    } else if (job->request->kind == JOB_PICTURE) {
        image_make_picture(c, job);
    } else if (job->request->kind == JOB_HEALTH && c->plugin->health(c->instance, reason, sizeof reason) != KITH_OK) {
        reason[sizeof reason - 1] = 0;
        reply_set_failure(job, WORK_FAILED,
                          reason[0] ? reason : "the recogniser's health check failed without a reason");
    } else if (job->request->enrol && c->plugin->dimension == 0) {
        /* The recogniser has no embeddings, so there is no template to make: it is not called. */
    } else if (job->request->kind != JOB_HEALTH || !by_path || job->path[0] == '/') {
        /* A remote service does not have the check's image: it is asked about the photo that the check names. */
        image_recognize(c, job);
    }
}
