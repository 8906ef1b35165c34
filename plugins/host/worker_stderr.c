/* Standard output and standard error of a worker process: a pipe, whose lines reach the log as quoted text with the
 * name of the worker. A plug-in can therefore not forge log lines, and a flood of lines is dropped and counted. */
#include "plugins/host/worker_internal.h"
#include "plugins/host/worker_text.h"

#include "core/base/log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINES_MAX = 200, WINDOW_MS = 10000, READS_MAX = 64 };

static void stderr_log(const struct worker *w, const char *text, uint64_t dropped)
{
    const char *file = strrchr(w->options.plugin_file, '/');
    char name[64];

    file = file ? file + 1 : w->options.plugin_file;
    snprintf(name, sizeof name, "%.*s-%u", (int)strcspn(file, "."), file, (uint32_t)w->number);
    if (dropped)
        log_event(LOG_WARN, "worker lines dropped", LOG_STR("worker", name), LOG_INT("pid", worker_pid(w)),
                  LOG_INT("lines", dropped));
    else
        log_event(LOG_WARN, "worker wrote", LOG_STR("worker", name), LOG_INT("pid", worker_pid(w)),
                  LOG_STR("text", text));
}

static void stderr_report_dropped(struct worker *w)
{
    if (w->output.dropped)
        stderr_log(w, NULL, w->output.dropped);
    w->output.dropped = 0;
}

/* Logs the bytes that were collected as one line, at most LINES_MAX in WINDOW_MS. */
static void stderr_end_line(struct worker *w)
{
    struct worker_output *o = &w->output;
    uint64_t now_ms = uv_now(w->options.loop);
    char text[3 * sizeof o->line + 1];

    if (now_ms - o->window_ms >= WINDOW_MS) {
        stderr_report_dropped(w);
        o->window_ms = now_ms;
        o->lines = 0;
    }
    if (o->len && ++o->lines <= LINES_MAX) {
        worker_text_copy(text, sizeof text, o->line, o->len, 0);
        stderr_log(w, text, 0);
    } else if (o->len) {
        o->dropped++;
    }
    o->len = 0;
}

static void stderr_add(struct worker *w, const char *data, size_t len)
{
    struct worker_output *o = &w->output;

    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n') {
            stderr_end_line(w);
            continue;
        }
        if (o->len == sizeof o->line)
            stderr_end_line(w);
        o->line[o->len++] = data[i] ? data[i] : ' ';
    }
}

/* Reads what is there, but at most READS_MAX blocks. False at the end of the pipe. */
static bool stderr_read(struct worker *w)
{
    char data[4096];

    for (int i = 0; i < READS_MAX; i++) {
        ssize_t n = read(w->output.fd, data, sizeof data);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (n <= 0)
            return false;
        stderr_add(w, data, (size_t)n);
    }
    return true;
}

static void stderr_on_poll(uv_poll_t *poll, int status, int events)
{
    struct worker *w = poll->data;

    (void)events;
    if (status < 0 || !stderr_read(w))
        worker_stderr_close(w);
}

int worker_stderr_open(struct worker *w)
{
    int pair[2];

    if (pipe2(pair, O_CLOEXEC) < 0)
        return -errno;
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    w->output.fd = pair[0];
    w->output.open = true;
    w->output.poll.data = w;
    w->open_handles++;
    uv_poll_init(w->options.loop, &w->output.poll, pair[0]);
    uv_poll_start(&w->output.poll, UV_READABLE, stderr_on_poll);
    return pair[1];
}

void worker_stderr_close(struct worker *w)
{
    if (!w->output.open)
        return;
    w->output.open = false;
    stderr_read(w);
    stderr_end_line(w);
    stderr_report_dropped(w);
    uv_close((uv_handle_t *)&w->output.poll, worker_handle_closed);
    close(w->output.fd);
}
