#include "plugins/host/worker_process.h"

#include "core/base/buf.h"
#include "plugins/worker/worker_main.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PICTURE_MAX = 8 << 20 };

struct worker {
    struct worker_options o;
    uint64_t number;
    uv_process_t process;
    uv_poll_t poll;
    int fd;
    bool has_process, has_poll, exited, closed, told; /* closed: the socket; told: GONE was posted */
    bool freeing;
    int handles; /* that still close */
    int64_t exit_status;
    int exit_signal;
    uint64_t serial; /* of the job under way, 0: none */
    struct packet_hello hello;
    struct worker_event *next; /* what is being collected */
    int face_capacity;
    char *in; /* PACKET_MAX */
};

static void destroy_event(struct msg *m)
{
    struct worker_event *e = (struct worker_event *)m;

    arena_free(&e->arena);
    free(e->picture);
}

static struct worker_event *event_new(struct worker *w)
{
    struct worker_event *e = (struct worker_event *)msg_new(WORKER_DONE, sizeof *e);

    e->head.destroy = destroy_event;
    e->worker = w->number;
    w->face_capacity = 0;
    return e;
}

static void post(struct worker *w, uint32_t type)
{
    struct worker_event *e = w->next;

    w->next = event_new(w);
    e->head.type = type;
    e->hello = w->hello;
    e->head.size_bytes += e->arena.total + e->picture_len;
    actor_post(w->o.system, w->o.actor, &e->head);
}

static void tell_gone(struct worker *w)
{
    if (w->told || w->freeing)
        return;
    w->told = true;
    if (!w->next->words[0] && w->exit_signal)
        snprintf(w->next->words, sizeof w->next->words, "killed by signal %d (%s)", w->exit_signal,
                 strsignal(w->exit_signal));
    else if (!w->next->words[0])
        snprintf(w->next->words, sizeof w->next->words, "it ended with code %d", (int)w->exit_status);
    post(w, WORKER_GONE);
}

/* --- what it says --- */

static bool take_face(struct worker *w, const char *body, size_t len)
{
    struct worker_event *e = w->next;
    struct packet_face p;
    struct face *f;
    size_t landmarks, embedding;

    if (len < sizeof p || e->face_count >= (int)w->o.max_faces)
        return false;
    memcpy(&p, body, sizeof p);
    landmarks = (size_t)p.landmark_count * 2 * sizeof(float);
    embedding = (size_t)p.dimension * sizeof(float);
    if (p.landmark_count > KITH_LANDMARKS_MAX || p.dimension > PACKET_MAX / sizeof(float) || p.label_bytes > 256 ||
        len != sizeof p + landmarks + embedding + p.label_bytes || !isfinite(p.x) || !isfinite(p.y) ||
        !(p.width >= 0 && p.width < 1e9f) || !(p.height >= 0 && p.height < 1e9f) || !isfinite(p.quality) ||
        ((p.width == 0 || p.height == 0) && !p.label_bytes))
        return false;
    if (!e->faces)
        e->faces = arena_alloc(&e->arena, w->o.max_faces * sizeof *e->faces);
    f = &e->faces[e->face_count++];
    *f = (struct face){.x = p.x,
                       .y = p.y,
                       .width = p.width,
                       .height = p.height,
                       .quality = p.quality < 0   ? 0
                                  : p.quality > 1 ? 1
                                                  : p.quality,
                       .flaw = (int)p.flaw,
                       .landmark_count = (int)p.landmark_count,
                       .dimension = (int)p.dimension,
                       .person = PERSON_UNKNOWN};
    body += sizeof p;
    f->landmarks = (const float *)(const void *)arena_copy(&e->arena, body, landmarks);
    if (p.dimension) {
        f->embedding = (const float *)(const void *)arena_copy(&e->arena, body + landmarks, embedding);
        for (uint32_t i = 0; i < p.dimension; i++)
            if (!isfinite(f->embedding[i]))
                return false;
    }
    if (p.label_bytes) {
        f->person_name = arena_copy(&e->arena, body + landmarks + embedding, p.label_bytes - 1);
        f->distance = (double)p.label_distance;
    }
    return true;
}

static bool take_picture(struct worker *w, const char *body, size_t len)
{
    struct worker_event *e = w->next;
    uint8_t *more;

    if (e->picture_len + len > PICTURE_MAX)
        return false;
    if (!(more = realloc(e->picture, e->picture_len + len)))
        abort();
    memcpy(more + e->picture_len, body, len);
    e->picture = more;
    e->picture_len += len;
    return true;
}

static float sane_ms(float ms)
{
    return ms > 0 && ms < 1e7f ? ms : 0;
}

static bool take_done(struct worker *w, const char *body, size_t len)
{
    struct worker_event *e = w->next;

    if (len != sizeof e->done)
        return false;
    memcpy(&e->done, body, sizeof e->done);
    e->done.reason[REASON_BYTES - 1] = e->done.sha256[SHA256_HEX_BYTES - 1] = 0;
    for (int i = 0; i < KITH_STAGES; i++)
        e->done.stage_ms[i] = sane_ms(e->done.stage_ms[i]);
    e->done.decode_ms = sane_ms(e->done.decode_ms);
    if (e->done.status > WORK_FAILED || e->done.face_count != (uint32_t)e->face_count)
        return false;
    e->serial = w->serial;
    w->serial = 0;
    post(w, WORKER_DONE);
    return true;
}

static bool take_hello(struct worker *w, const char *body, size_t len)
{
    struct packet_hello *h = &w->hello;

    if (len != sizeof *h)
        return false;
    memcpy(h, body, sizeof *h);
    h->name[sizeof h->name - 1] = h->version[sizeof h->version - 1] = h->model[sizeof h->model - 1] = 0;
    post(w, WORKER_READY);
    return true;
}

/* False when it says what no worker may say: it is then no longer trusted. */
static bool take(struct worker *w, const char *data, size_t len)
{
    struct packet head;
    const char *body = data + sizeof head;

    if (len < sizeof head)
        return false;
    memcpy(&head, data, sizeof head);
    if (head.len != len - sizeof head || (head.kind > PACKET_REFUSED && (head.serial != w->serial || !w->serial)))
        return false;
    switch (head.kind) {
    case PACKET_HELLO:
        return take_hello(w, body, head.len);
    case PACKET_REFUSED:
        snprintf(w->next->words, sizeof w->next->words, "%.*s", (int)head.len, body);
        return true;
    case PACKET_SEEN:
        if (head.len != SHA256_HEX_BYTES)
            return false;
        memcpy(w->next->seen, body, SHA256_HEX_BYTES - 1);
        return true;
    case PACKET_FACE:
        return take_face(w, body, head.len);
    case PACKET_PICTURE:
        return take_picture(w, body, head.len);
    case PACKET_DONE:
        return take_done(w, body, head.len);
    default:
        return false;
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct worker *w = handle->data;

    if (--w->handles > 0 || !w->freeing)
        return;
    msg_unref(&w->next->head);
    free(w->in);
    free(w);
}

static void close_socket(struct worker *w)
{
    if (w->closed)
        return;
    w->closed = true;
    uv_close((uv_handle_t *)&w->poll, on_closed);
    close(w->fd);
    if (!w->has_process)
        tell_gone(w); /* a thread has nothing else to end by */
}

/* Until it would block, at most a few: other sockets wait too. */
static void drain(struct worker *w, int most)
{
    while (most-- > 0 && !w->closed) {
        ssize_t n = recv(w->fd, w->in, PACKET_MAX, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            close_socket(w);
        } else if (!take(w, w->in, (size_t)n)) {
            snprintf(w->next->words, sizeof w->next->words, "it broke the protocol");
            worker_kill(w);
            return;
        }
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    drain(poll->data, 32);
}

static void on_process_exit(uv_process_t *process, int64_t status, int signal)
{
    struct worker *w = process->data;

    w->exited = true;
    w->exit_status = status;
    w->exit_signal = signal;
    if (!w->freeing)
        drain(w, 1000); /* its last words */
    uv_close((uv_handle_t *)process, on_closed);
    if (!w->freeing)
        close_socket(w);
    tell_gone(w);
}

/* --- starting --- */

static int send_with(int fd, uint32_t kind, uint64_t serial, const void *a, size_t a_len, const void *b, size_t b_len,
                     int image_fd)
{
    struct packet head = {.kind = kind, .len = (uint32_t)(a_len + b_len), .serial = serial};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)(uintptr_t)a, a_len}, {(void *)(uintptr_t)b, b_len}};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 3};

    if (image_fd >= 0) {
        struct cmsghdr *c;

        m.msg_control = control.bytes;
        m.msg_controllen = sizeof control.bytes;
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &image_fd, sizeof image_fd);
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int send_config(struct worker *w)
{
    struct packet_config c = {.max_pixels = w->o.max_pixels,
                              .max_image = w->o.max_image,
                              .max_memory = w->o.max_memory,
                              .max_faces = w->o.max_faces,
                              .cpu_s = w->o.cpu_s,
                              .parent = (uint32_t)getpid(),
                              .sandbox = !w->o.thread,
                              .network = (uint32_t)w->o.network};
    struct buf words = {0};
    int result;

    buf_add(&words, w->o.plugin_file, strlen(w->o.plugin_file) + 1);
    for (const struct kith_setting *s = w->o.settings; s->name; s++) {
        buf_add(&words, s->name, strlen(s->name) + 1);
        buf_add(&words, s->value, strlen(s->value) + 1);
    }
    result = send_with(w->fd, PACKET_CONFIG, 0, &c, sizeof c, words.data, words.len, -1);
    buf_free(&words);
    return result;
}

static void *run_thread(void *arg)
{
    serve_run((int)(intptr_t)arg);
    return NULL;
}

static int start_thread(int fd)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    int result;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, (size_t)8 << 20);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&thread, &attributes, run_thread, (void *)(intptr_t)fd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -result;
}

/* Nothing of our environment but what a sanitizer or the linker needs; one thread for each numeric library. */
static int start_process(struct worker *w, int fd)
{
    static const char *const passed[] = {"LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"};
    char *environment[12] = {"OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "MALLOC_ARENA_MAX=2", "LC_ALL=C.UTF-8"};
    char kept[4][1024], *arguments[] = {(char *)(uintptr_t)w->o.program, "worker", NULL};
    uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
                                    {.flags = UV_INHERIT_FD, .data.fd = 2},
                                    {.flags = UV_INHERIT_FD, .data.fd = 2},
                                    {.flags = UV_INHERIT_FD, .data.fd = fd}};
    uv_process_options_t options = {.exit_cb = on_process_exit,
                                    .file = w->o.program,
                                    .args = arguments,
                                    .env = environment,
                                    .stdio = stdio,
                                    .stdio_count = 4};
    int count = 4, result;

    for (int i = 0; i < 4; i++)
        if (getenv(passed[i])) {
            snprintf(kept[i], sizeof kept[i], "%s=%s", passed[i], getenv(passed[i]));
            environment[count++] = kept[i];
        }
    w->handles++;
    w->process.data = w;
    result = uv_spawn(w->o.loop, &w->process, &options);
    if (result < 0)
        uv_close((uv_handle_t *)&w->process, on_closed);
    else
        w->has_process = true;
    return result;
}

struct worker *worker_start(const struct worker_options *options, uint64_t number, struct error *error)
{
    struct worker *w = calloc(1, sizeof *w);
    int pair[2], result;

    if (!w || !(w->in = malloc(PACKET_MAX)))
        abort();
    w->o = *options;
    w->number = number;
    w->next = event_new(w);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        error_set(error, -errno, "no socket for a worker: %s", strerror(errno));
        msg_unref(&w->next->head);
        free(w->in);
        free(w);
        return NULL;
    }
    w->fd = pair[0];
    w->handles++;
    w->poll.data = w;
    uv_poll_init(w->o.loop, &w->poll, w->fd);
    result = options->thread ? start_thread(pair[1]) : start_process(w, pair[1]);
    if (!options->thread || result < 0)
        close(pair[1]);
    if (result == 0)
        result = send_config(w);
    if (result < 0) {
        error_set(error, result, "cannot start a worker: %s", strerror(-result));
        worker_free(w);
        return NULL;
    }
    uv_poll_start(&w->poll, UV_READABLE, on_readable);
    return w;
}

int worker_send(struct worker *w, uint64_t serial, const struct packet_job *job, const char *path, int fd)
{
    assert(serial && !w->serial);
    if (w->closed)
        return -EPIPE;
    w->serial = serial;
    memset(w->next->seen, 0, sizeof w->next->seen);
    return send_with(w->fd, PACKET_JOB, serial, job, sizeof *job, path, strlen(path) + 1, fd);
}

int worker_quarantine(struct worker *w, const char *hashes, size_t count)
{
    return w->closed ? -EPIPE : send_with(w->fd, PACKET_QUARANTINE, 0, hashes, count * SHA256_HEX_BYTES, NULL, 0, -1);
}

void worker_kill(struct worker *w)
{
    if (w->has_process && !w->exited)
        uv_process_kill(&w->process, SIGKILL);
    else
        close_socket(w);
}

void worker_free(struct worker *w)
{
    if (!w || w->freeing)
        return;
    w->freeing = true;
    if (w->has_process && !w->exited)
        uv_process_kill(&w->process, SIGKILL); /* its exit closes the last handle */
    if (!w->closed) {
        w->closed = true;
        uv_close((uv_handle_t *)&w->poll, on_closed);
        close(w->fd);
    } else if (w->handles == 0) {
        w->handles = 1;
        on_closed(&(uv_handle_t){.data = w});
    }
}

int worker_pid(const struct worker *w)
{
    return w->has_process ? w->process.pid : 0;
}

int worker_memory(const void *data, size_t len)
{
    int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t at = 0;

    if (fd < 0)
        return -errno;
    while (at < len) {
        ssize_t n = write(fd, (const char *)data + at, len - at);

        if (n < 0 && errno != EINTR) {
            n = -errno;
            close(fd);
            return (int)n;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    return fd;
}
