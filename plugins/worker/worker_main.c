#include "plugins/worker/worker_main.h"

#include "core/base/buf.h"
#include "plugins/host/loader.h"
#include "plugins/host/protocol.h"
#include "plugins/worker/image/decode.h"
#include "plugins/worker/image/quality.h"
#include "plugins/worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SETTINGS_MAX = 128 };

struct server {
    int fd, statm; /* statm: /proc/self/statm, opened before the sandbox closes */
    struct packet_config config;
    double min_face; /* pixels; 0: not set */
    uint32_t jitters;
    const struct kith_recognizer *plugin;
    void *instance;
    char *quarantine; /* hashes, SHA256_HEX_BYTES each */
    size_t quarantined;
    struct buf out;
    char in[PACKET_MAX];
};

static int send_packet(struct server *s, uint32_t kind, uint64_t serial, const void *a, size_t a_len, const void *b,
                       size_t b_len)
{
    struct packet head = {.kind = kind, .len = (uint32_t)(a_len + b_len), .serial = serial};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)(uintptr_t)a, a_len}, {(void *)(uintptr_t)b, b_len}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 3};
    ssize_t n;

    do
        n = sendmsg(s->fd, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

/* The next packet into s->in; its descriptor, or -1, into *fd. 0: the other end has closed. */
static ssize_t receive(struct server *s, int *fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {s->in, sizeof s->in};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c;
    ssize_t n;

    do
        n = recvmsg(s->fd, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    *fd = -1;
    if (n > 0 && (c = CMSG_FIRSTHDR(&m)) && c->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return n < (ssize_t)sizeof(struct packet) ? 0 : n;
}

/* --- starting --- */

static int refuse(struct server *s, const char *words)
{
    send_packet(s, PACKET_REFUSED, 0, words, strlen(words) + 1, NULL, 0);
    return 1;
}

static int hello(struct server *s)
{
    struct packet_hello h = {.metric = s->plugin->metric,
                             .dimension = s->plugin->dimension,
                             .threshold = s->plugin->threshold,
                             .needs = s->plugin->needs};

    snprintf(h.name, sizeof h.name, "%s", s->plugin->name);
    snprintf(h.version, sizeof h.version, "%s", s->plugin->version);
    snprintf(h.model, sizeof h.model, "%s", s->plugin->model_id);
    return send_packet(s, PACKET_HELLO, 0, &h, sizeof h, NULL, 0) < 0 ? 1 : 0;
}

static const char *setting(const struct kith_settings *settings, const char *name, const char *otherwise)
{
    for (const struct kith_setting *s = settings->list; s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s->value;
    return otherwise;
}

static int start(struct server *s)
{
    struct kith_setting list[SETTINGS_MAX + 1] = {{0}};
    struct kith_settings settings = {.size = sizeof settings, .list = list};
    struct error error = {0};
    char words[REASON_BYTES] = "";
    int fd, count = 0;
    ssize_t n = receive(s, &fd);
    const char *at = s->in + sizeof(struct packet) + sizeof s->config, *end = s->in + n, *file = at;

    if (n < (ssize_t)(sizeof(struct packet) + sizeof s->config) ||
        ((struct packet *)(void *)s->in)->kind != PACKET_CONFIG)
        return 1;
    memcpy(&s->config, s->in + sizeof(struct packet), sizeof s->config);
    for (at += strlen(at) + 1; at < end && count < SETTINGS_MAX; count++) {
        list[count].name = at;
        at += strlen(at) + 1;
        list[count].value = at;
        at += strlen(at) + 1;
    }
    s->min_face = atof(setting(&settings, "min_face", "0"));
    s->jitters = (uint32_t)strtoul(setting(&settings, "enroll_jitters", "0"), NULL, 10);
    s->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (s->config.sandbox && sandbox_enter(s->config.max_memory, s->config.parent, s->config.network, &error) < 0)
        return refuse(s, error.text);
    if (!(s->plugin = loader_open(file, &error)))
        return refuse(s, error.text);
    if ((s->plugin->needs & KITH_NEEDS_NETWORK) && !s->config.network)
        return refuse(s, "this recogniser needs the network; say KITH_PLUGIN_ALLOW_NET=on if it may have it");
    if (!(s->instance = s->plugin->open(&settings, words, sizeof words)))
        return refuse(s, words[0] ? words : "the recogniser cannot start and does not say why");
    if (s->config.sandbox && sandbox_close(s->config.network, &error) < 0)
        return refuse(s, error.text);
    return hello(s);
}

/* --- a job --- */

struct job {
    const struct packet_job *ask;
    const char *path;
    uint64_t serial;
    uint8_t *bytes;
    size_t len;
    struct packet_done done;
};

static void blame(struct job *job, int status, const char *words)
{
    job->done.status = (uint32_t)status;
    snprintf(job->done.reason, sizeof job->done.reason, "%s", words);
}

/* The whole file into memory, whatever its size says: it is read to the end or to the limit. */
static bool read_image(struct server *s, struct job *job, int fd)
{
    size_t capacity = (size_t)256 << 10, max = s->config.max_image;
    off_t size = lseek(fd, 0, SEEK_END);
    ssize_t n = 1;
    char words[REASON_BYTES];

    if (size > 0)
        capacity = (size_t)size < max ? (size_t)size + 1 : max + 1;
    for (job->bytes = NULL; n > 0 && job->len <= max;) {
        if (!job->bytes || job->len == capacity) {
            capacity = job->bytes ? capacity * 2 : capacity;
            job->bytes = realloc(job->bytes, capacity);
            if (!job->bytes)
                abort();
        }
        n = pread(fd, job->bytes + job->len, capacity - job->len, (off_t)job->len);
        if (n > 0)
            job->len += (size_t)n;
    }
    if (n < 0) {
        snprintf(words, sizeof words, "cannot read the file: %s", strerror(errno));
        blame(job, WORK_BAD_IMAGE, words);
    } else if (job->len > max) {
        snprintf(words, sizeof words, "the file has more than %zu bytes (KITH_MAX_IMAGE)", max);
        blame(job, WORK_BAD_IMAGE, words);
    } else {
        return true;
    }
    return false;
}

static bool is_quarantined(const struct server *s, const char *sha256)
{
    for (size_t i = 0; i < s->quarantined; i++)
        if (memcmp(s->quarantine + i * SHA256_HEX_BYTES, sha256, SHA256_HEX_BYTES) == 0)
            return true;
    return false;
}

static bool face_is_sane(const struct server *s, const struct kith_face *f)
{
    const float far = 1e9f; /* no picture is larger, and whole numbers hold it */
    bool somewhere = f->width > 0 && f->height > 0 && f->width < far && f->height < far;

    if (f->size < sizeof *f || !(fabsf(f->x) < far) || !(fabsf(f->y) < far) || !isfinite(f->quality) ||
        (!somewhere && !(f->label && f->width == 0 && f->height == 0)) || /* no box: only a label comes without */
        f->landmark_count > KITH_LANDMARKS_MAX || (f->landmark_count && !f->landmarks) || (!f->embedding && !f->label))
        return false;
    for (uint32_t i = 0; f->embedding && i < s->plugin->dimension; i++)
        if (!isfinite(f->embedding[i]))
            return false;
    return true;
}

/* In pixels of the picture, whatever size it was decoded to. */
static int send_face(struct server *s, const struct job *job, const struct kith_face *f, const struct pixels *pixels)
{
    enum quality_flaw flaw = FLAW_DETECTOR;
    const double scale = pixels->scale;
    const float quality = s->plugin->needs & KITH_NEEDS_QUALITY ? quality_of(pixels, f, &flaw) : f->quality;
    struct packet_face p = {.x = (float)(f->x / scale),
                            .y = (float)(f->y / scale),
                            .width = (float)(f->width / scale),
                            .height = (float)(f->height / scale),
                            .quality = quality,
                            .flaw = flaw,
                            .label_distance = f->label ? f->label_distance : 0,
                            .landmark_count = f->landmark_count,
                            .dimension = f->embedding ? s->plugin->dimension : 0,
                            .label_bytes = f->label ? (uint32_t)strnlen(f->label, 255) + 1 : 0};

    s->out.len = 0;
    for (uint32_t i = 0; i < f->landmark_count * 2; i++) {
        float v = (float)(f->landmarks[i] / scale);

        buf_add(&s->out, &v, sizeof v);
    }
    if (f->embedding)
        buf_add(&s->out, f->embedding, p.dimension * sizeof(float));
    if (f->label) {
        buf_add(&s->out, f->label, p.label_bytes - 1);
        buf_add(&s->out, "", 1);
    }
    return send_packet(s, PACKET_FACE, job->serial, &p, sizeof p, s->out.data, s->out.len);
}

static int larger_first(const void *a, const void *b)
{
    const struct kith_face *f = a, *g = b;
    float d = g->width * g->height - f->width * f->height;

    return d > 0 ? 1 : d < 0 ? -1 : 0;
}

static void send_faces(struct server *s, struct job *job, const struct kith_result *result, const struct pixels *pixels)
{
    uint32_t count = result->face_count;
    struct kith_face *faces = calloc((size_t)count + 1, sizeof *faces);

    if (!faces)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        if (!face_is_sane(s, &result->faces[i])) {
            blame(job, WORK_FAILED, "the recogniser returned a face that cannot be");
            goto out;
        }
        faces[i] = result->faces[i];
    }
    qsort(faces, count, sizeof *faces, larger_first);
    if (count > s->config.max_faces)
        count = s->config.max_faces;
    for (uint32_t i = 0; i < count; i++)
        send_face(s, job, &faces[i], pixels);
    job->done.face_count = count;
out:
    free(faces);
}

/* As much of the picture's size as the smallest face that is asked for needs. */
static double useful_scale(const struct server *s)
{
    const struct kith_recognizer *r = s->plugin;
    const bool tells = r->size >= offsetof(struct kith_recognizer, face_side) + sizeof r->face_side;

    return tells && r->face_side && s->min_face > r->face_side ? r->face_side / s->min_face : 1;
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void recognize(struct server *s, struct job *job)
{
    enum { FACES_SANE = 100000 };
    struct pixels pixels = {.scale = 1};
    struct kith_image image = {.size = sizeof image,
                               .path = job->path,
                               .scale = 1,
                               .max_faces = s->config.max_faces,
                               .trace = job->ask->trace,
                               .jitters = job->ask->enrol ? s->jitters : 0};
    struct kith_result result = {.size = sizeof result};
    struct error error = {0};
    char words[REASON_BYTES] = "";
    int status;

    if (s->plugin->needs & KITH_NEEDS_PIXELS) {
        double begun = now_ms();

        if (decode(job->bytes, job->len, s->config.max_pixels, s->plugin->wanted_side, useful_scale(s), &pixels,
                   &error) < 0) {
            blame(job, WORK_BAD_IMAGE, error.text);
            return;
        }
        job->done.decode_ms = (float)(now_ms() - begun);
        image.rgb = pixels.rgb;
        image.width = pixels.width;
        image.height = pixels.height;
        image.stride = pixels.width * 3;
        image.scale = pixels.scale;
        job->done.width = pixels.picture_width;
        job->done.height = pixels.picture_height;
    }
    if (s->plugin->needs & KITH_NEEDS_BYTES) {
        image.bytes = job->bytes;
        image.bytes_len = job->len;
    }
    status = s->plugin->recognize(s->instance, &image, &result, words, sizeof words);
    words[sizeof words - 1] = 0;
    if (status == KITH_OK && (result.face_count > FACES_SANE || (result.face_count && !result.faces)))
        blame(job, WORK_FAILED, "the recogniser returned a number of faces that cannot be");
    else if (status == KITH_OK)
        send_faces(s, job, &result, &pixels);
    else
        blame(job, status == KITH_BAD_IMAGE ? WORK_BAD_IMAGE : WORK_FAILED,
              words[0] ? words : "the recogniser failed and does not say why");
    for (int i = 0; i < KITH_STAGES; i++)
        job->done.stage_ms[i] = isfinite(result.stage_ms[i]) ? result.stage_ms[i] : 0;
    pixels_free(&pixels);
}

static void picture(struct server *s, struct job *job)
{
    const struct packet_job *ask = job->ask;
    struct pixels whole, part;
    struct error error = {0};
    uint8_t *jpeg = NULL;
    size_t len = 0;

    if (decode(job->bytes, job->len, s->config.max_pixels, ask->width > 0 ? 0 : ask->side, 1, &whole, &error) < 0) {
        blame(job, WORK_BAD_IMAGE, error.text);
        return;
    }
    job->done.width = whole.picture_width;
    job->done.height = whole.picture_height;
    if (ask->width > 0)
        pixels_part(&whole, (int64_t)ask->x, (int64_t)ask->y, (int64_t)ask->width, (int64_t)ask->height, ask->side,
                    &part);
    else
        part = whole;
    jpeg = pixels_jpeg(&part, 85, &len);
    if (!jpeg)
        blame(job, WORK_BAD_IMAGE, "no small picture can be made of it");
    for (size_t at = 0; jpeg && at < len; at += PICTURE_PART)
        send_packet(s, PACKET_PICTURE, job->serial, jpeg + at, len - at < PICTURE_PART ? len - at : PICTURE_PART, NULL,
                    0);
    free(jpeg);
    if (part.rgb != whole.rgb)
        pixels_free(&part);
    pixels_free(&whole);
}

static void perform(struct server *s, struct job *job, int fd)
{
    const bool by_path = !(s->plugin->needs & (KITH_NEEDS_PIXELS | KITH_NEEDS_BYTES));
    char words[REASON_BYTES] = "";

    if (fd < 0 && (!by_path || job->ask->kind == JOB_PICTURE)) {
        blame(job, WORK_BAD_IMAGE, "there is no file");
        return;
    }
    if (fd >= 0 && !read_image(s, job, fd))
        return;
    if (fd >= 0) {
        sha256_hex(job->bytes, job->len, job->done.sha256);
        send_packet(s, PACKET_SEEN, job->serial, job->done.sha256, SHA256_HEX_BYTES, NULL, 0);
    }
    if (is_quarantined(s, job->done.sha256)) {
        blame(job, WORK_QUARANTINED, "poison");
    } else if (job->ask->kind == JOB_PICTURE) {
        picture(s, job);
    } else if (job->ask->kind == JOB_HEALTH && s->plugin->health(s->instance, words, sizeof words) != KITH_OK) {
        words[sizeof words - 1] = 0;
        blame(job, WORK_FAILED, words[0] ? words : "the recogniser is not well and does not say why");
    } else if (job->ask->kind != JOB_HEALTH || !by_path) { /* nobody else knows the check's picture by a name */
        recognize(s, job);
    }
}

static uint64_t resident_bytes(const struct server *s)
{
    char text[128] = "";
    unsigned long long all, resident = 0;

    if (s->statm < 0 || pread(s->statm, text, sizeof text - 1, 0) <= 0 ||
        sscanf(text, "%llu %llu", &all, &resident) != 2)
        return 0;
    return resident * 4096;
}

static uint64_t cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int do_job(struct server *s, ssize_t n, int fd)
{
    const struct packet *head = (const void *)s->in;
    struct job job = {
        .ask = (const void *)(head + 1), .path = s->in + sizeof *head + sizeof *job.ask, .serial = head->serial};
    uint64_t begun = cpu_us();

    if (n <= (ssize_t)(sizeof *head + sizeof *job.ask))
        return 1;
    if (s->config.sandbox)
        sandbox_allow_cpu(s->config.cpu_s);
    perform(s, &job, fd);
    free(job.bytes);
    job.done.cpu_us = cpu_us() - begun;
    job.done.rss_bytes = resident_bytes(s);
    return send_packet(s, PACKET_DONE, job.serial, &job.done, sizeof job.done, NULL, 0) < 0;
}

static void take_quarantine(struct server *s, ssize_t n)
{
    size_t bytes = (size_t)n - sizeof(struct packet);

    free(s->quarantine);
    s->quarantine = malloc(bytes + 1);
    if (!s->quarantine)
        abort();
    memcpy(s->quarantine, s->in + sizeof(struct packet), bytes);
    s->quarantined = bytes / SHA256_HEX_BYTES;
}

int serve_run(int fd)
{
    struct server *s = calloc(1, sizeof *s);
    int code, image_fd;
    ssize_t n;

    if (!s)
        abort();
    s->fd = fd;
    s->statm = -1;
    code = start(s);
    while (code == 0 && (n = receive(s, &image_fd)) > 0) {
        uint32_t kind = ((struct packet *)(void *)s->in)->kind;

        if (kind == PACKET_QUARANTINE)
            take_quarantine(s, n);
        else
            code = do_job(s, n, image_fd);
        if (image_fd >= 0)
            close(image_fd);
    }
    if (s->plugin && s->instance)
        s->plugin->close(s->instance);
    if (s->statm >= 0)
        close(s->statm);
    close(fd);
    buf_free(&s->out);
    free(s->quarantine);
    free(s);
    return code;
}
