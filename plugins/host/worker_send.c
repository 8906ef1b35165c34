/* Packets to a worker. A worker reads its socket only between two jobs, so the parent sends a list of quarantined
 * hashes together with the next job: lists cannot fill the socket of a busy worker. A job for which the socket has no
 * space waits until it is writable. */
#include "plugins/host/worker_internal.h"

#include "core/base/buf.h"
#include "core/base/must.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Sends a packet whose body is `a` followed by `b`, with the descriptor `passed_fd` unless it is -1. */
static int send_packet(int fd, const struct packet *head, const void *a, size_t a_len, const void *b, size_t b_len,
                       int passed_fd)
{
    struct iovec parts[] = {
        {(void *)(uintptr_t)head, sizeof *head}, {(void *)(uintptr_t)a, a_len}, {(void *)(uintptr_t)b, b_len}};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 3};

    assert(head->len == a_len + b_len);
    if (passed_fd >= 0) {
        struct cmsghdr *c;

        m.msg_control = control.bytes;
        m.msg_controllen = sizeof control.bytes;
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &passed_fd, sizeof passed_fd);
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int worker_send_config(struct worker *w)
{
    const struct worker_options *o = &w->options;
    struct packet_config c = {.max_pixels = o->max_pixels,
                              .max_image = o->max_image,
                              .max_memory = o->max_memory,
                              .max_faces = o->max_faces,
                              .max_scans = o->max_scans,
                              .cpu_s = o->cpu_s,
                              .parent = (uint32_t)getpid(),
                              .sandbox = !o->thread,
                              .network = (uint32_t)o->network};
    struct packet head = {.kind = PACKET_CONFIG};
    struct buf text = {0};
    int result;

    buf_add(&text, o->plugin_file, strlen(o->plugin_file) + 1);
    for (const struct kith_setting *s = o->settings; s->name; s++) {
        buf_add(&text, s->name, strlen(s->name) + 1);
        buf_add(&text, s->value, strlen(s->value) + 1);
    }
    head.len = (uint32_t)(sizeof c + text.len);
    result = send_packet(w->fd, &head, &c, sizeof c, text.data, text.len, -1);
    buf_free(&text);
    return result;
}

static int send_quarantine(struct worker *w)
{
    size_t bytes = w->quarantine_count * SHA256_HEX_BYTES;
    struct packet head = {.kind = PACKET_QUARANTINE, .len = (uint32_t)bytes};
    int result = send_packet(w->fd, &head, w->quarantine, bytes, NULL, 0, -1);

    w->quarantine_changed = result < 0;
    return result;
}

static int send_job(struct worker *w, const struct packet_job *job, const char *path, int fd)
{
    size_t path_bytes = strlen(path) + 1;
    struct packet head = {.kind = PACKET_JOB, .len = (uint32_t)(sizeof *job + path_bytes), .serial = w->serial};
    int result = w->quarantine_changed ? send_quarantine(w) : 0;

    return result < 0 ? result : send_packet(w->fd, &head, job, sizeof *job, path, path_bytes, fd);
}

/* Keeps copies of the job, its path and its descriptor. */
static int worker_queue_job(struct worker *w, const struct packet_job *job, const char *path, int fd)
{
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

    if (fd >= 0 && copy < 0)
        return -errno;
    w->pending = (struct worker_pending_job){.waiting = true, .job = *job, .path = strdup(path), .fd = copy};
    if (!w->pending.path)
        out_of_memory();
    worker_update_poll(w);
    return 0;
}

int worker_send(struct worker *w, uint64_t serial, const struct packet_job *job, const char *path, int fd)
{
    int result;

    assert(serial && !w->serial);
    if (w->closed)
        return -EPIPE;
    w->serial = serial;
    memset(w->event->seen, 0, sizeof w->event->seen);
    w->fault[0] = 0;
    result = send_job(w, job, path, fd);
    return result == -EAGAIN ? worker_queue_job(w, job, path, fd) : result;
}

int worker_send_pending(struct worker *w)
{
    int result = w->pending.waiting ? send_job(w, &w->pending.job, w->pending.path, w->pending.fd) : 0;

    if (result != -EAGAIN)
        worker_drop_pending(w);
    return result;
}

void worker_drop_pending(struct worker *w)
{
    if (!w->pending.waiting)
        return;
    free(w->pending.path);
    if (w->pending.fd >= 0)
        close(w->pending.fd);
    w->pending = (struct worker_pending_job){.fd = -1};
}

void worker_quarantine(struct worker *w, const char *hashes, size_t count)
{
    size_t bytes = count * SHA256_HEX_BYTES;

    assert(bytes + sizeof(struct packet) <= PACKET_MAX);
    if (count == w->quarantine_count && (!count || memcmp(hashes, w->quarantine, bytes) == 0))
        return;
    free(w->quarantine);
    w->quarantine = malloc(bytes + 1);
    if (!w->quarantine)
        out_of_memory();
    memcpy(w->quarantine, hashes, bytes);
    w->quarantine_count = count;
    w->quarantine_changed = true;
}
