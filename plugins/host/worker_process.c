/* The life of a worker: start, events, exit, close. */
#include "plugins/host/worker_process.h"

#include "core/base/must.h"
#include "plugins/host/worker_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_PACKETS = 32, READ_LAST_PACKETS = 1000 };

static void worker_event_destroy(struct msg *m)
{
    struct worker_event *e = (struct worker_event *)m;

    arena_free(&e->arena);
    free(e->picture);
}

static struct worker_event *worker_event_new(const struct worker *w)
{
    struct worker_event *e = (struct worker_event *)msg_new(WORKER_DONE, sizeof *e);

    e->head.destroy = worker_event_destroy;
    e->worker = w->number;
    return e;
}

void worker_post_event(struct worker *w, uint32_t type)
{
    struct worker_event *e = w->event;

    w->event = worker_event_new(w);
    e->head.type = type;
    e->hello = w->hello;
    e->head.size_bytes += e->arena.total + e->picture_len;
    actor_post(w->options.system, w->options.actor, &e->head);
}

static void worker_post_gone(struct worker *w)
{
    char *reason = w->event->words;

    if (w->posted_gone || w->freeing)
        return;
    w->posted_gone = true;
    if (!reason[0] && w->exit_signal)
        snprintf(reason, REASON_BYTES, "killed by signal %d (%s)", w->exit_signal, strsignal(w->exit_signal));
    else if (!reason[0])
        snprintf(reason, REASON_BYTES, "the worker ended with code %d", (int)w->exit_status);
    worker_post_event(w, WORKER_GONE);
}

static void worker_destroy(struct worker *w)
{
    msg_unref(&w->event->head);
    worker_drop_pending(w);
    free(w->quarantine);
    free(w->packet);
    free(w);
}

void worker_handle_closed(uv_handle_t *handle)
{
    struct worker *w = handle->data;

    if (--w->open_handles == 0 && w->freeing)
        worker_destroy(w);
}

static void worker_close_socket(struct worker *w)
{
    if (w->closed)
        return;
    w->closed = true;
    uv_close((uv_handle_t *)&w->poll, worker_handle_closed);
    close(w->fd);
    if (!w->has_process)
        worker_post_gone(w); /* a thread has no exit event */
}

/* Reads until the socket is empty, but at most `packets`: other sockets wait too. */
static void worker_read(struct worker *w, int packets)
{
    while (packets-- > 0 && !w->closed) {
        ssize_t n = recv(w->fd, w->packet, PACKET_MAX, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            worker_close_socket(w);
        } else if (!worker_receive_packet(w, w->packet, (size_t)n)) {
            snprintf(w->event->words, sizeof w->event->words, "the worker violated the protocol");
            worker_kill(w);
            return;
        }
    }
}

static void worker_on_poll(uv_poll_t *poll, int status, int events)
{
    struct worker *w = poll->data;

    if (status == 0 && (events & UV_WRITABLE)) {
        int result = worker_send_pending(w);

        if (result < 0 && result != -EAGAIN)
            worker_kill(w); /* WORKER_GONE follows */
        worker_update_poll(w);
    }
    worker_read(w, READ_PACKETS);
}

void worker_update_poll(struct worker *w)
{
    if (!w->closed)
        uv_poll_start(&w->poll, w->pending.waiting ? UV_READABLE | UV_WRITABLE : UV_READABLE, worker_on_poll);
}

void worker_process_exited(uv_process_t *process, int64_t status, int signal)
{
    struct worker *w = process->data;

    w->exited = true;
    w->exit_status = status;
    w->exit_signal = signal;
    if (!w->freeing)
        worker_read(w, READ_LAST_PACKETS); /* what it sent before it ended */
    worker_stderr_close(w);
    uv_close((uv_handle_t *)process, worker_handle_closed);
    if (!w->freeing)
        worker_close_socket(w);
    worker_post_gone(w);
}

struct worker *worker_start(const struct worker_options *options, uint64_t number, struct error *error)
{
    struct worker *w = calloc(1, sizeof *w);
    int pair[2], result;

    if (!w || !(w->packet = malloc(PACKET_MAX)))
        out_of_memory();
    w->options = *options;
    w->number = number;
    w->pending.fd = -1;
    w->event = worker_event_new(w);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        error_set(error, -errno, "cannot make a socket for a worker: %s", strerror(errno));
        worker_destroy(w);
        return NULL;
    }
    w->fd = pair[0];
    w->open_handles++;
    w->poll.data = w;
    uv_poll_init(w->options.loop, &w->poll, w->fd);
    result = options->thread ? worker_spawn_thread(pair[1]) : worker_spawn_process(w, pair[1]);
    if (!options->thread || result < 0)
        close(pair[1]);
    if (result == 0)
        result = worker_send_config(w);
    if (result < 0) {
        error_set(error, result, "cannot start a worker: %s", strerror(-result));
        worker_free(w);
        return NULL;
    }
    worker_update_poll(w);
    return w;
}

void worker_kill(struct worker *w)
{
    if (w->has_process && !w->exited)
        uv_process_kill(&w->process, SIGKILL);
    else
        worker_close_socket(w);
}

void worker_free(struct worker *w)
{
    if (!w || w->freeing)
        return;
    w->freeing = true;
    if (w->has_process && !w->exited)
        uv_process_kill(&w->process, SIGKILL); /* its exit closes the last handle */
    worker_stderr_close(w);
    if (!w->closed) {
        w->closed = true;
        uv_close((uv_handle_t *)&w->poll, worker_handle_closed);
        close(w->fd);
    } else if (w->open_handles == 0) {
        worker_destroy(w);
    }
}

int worker_pid(const struct worker *w)
{
    return w->has_process ? w->process.pid : 0;
}
