#include "core/base/log/log_writer.h"

#include "core/base/metrics.h"
#include "core/base/must.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ABORT_FLUSH_MS = 200 };
enum writer_state { WRITER_DIRECT, WRITER_RUNNING, WRITER_STOPPED };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t filled, drained;
    char *data; /* under `lock`, as the fields below */
    size_t capacity, head, used;
    uint64_t lost; /* lines dropped since the last line that told so */
    bool writing;  /* the thread is in write() with lines that have left the ring */
    bool stopping;
    log_writer_lost_fn tell_lost;
    pthread_t thread;
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};

static _Atomic int state; /* of enum writer_state */

static struct metric lines_lost = {.name = "kith_log_lines_lost_total",
                                   .help = "Log lines dropped because standard error was not read.",
                                   .kind = METRIC_COUNTER};

/* Blocks until all is written or standard error fails. */
static void writer_write(const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(STDERR_FILENO, data, len);

        if (n > 0) {
            data += n;
            len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT}, 1, -1);
        } else if (n == 0 || errno != EINTR) {
            return;
        }
    }
}

/* Writes at most PIPE_BUF bytes, and only when they cannot block: a writable pipe has room for PIPE_BUF bytes.
 * Async-signal-safe. */
static bool writer_try(const char *data, size_t len, int timeout_ms)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&fd, 1, timeout_ms) == 1 && (fd.revents & POLLOUT) && write(STDERR_FILENO, data, len) > 0;
}

static void writer_ring_put(const char *data, size_t len)
{
    size_t tail = (ring.head + ring.used) % ring.capacity, first = ring.capacity - tail;

    if (first > len)
        first = len;
    memcpy(ring.data + tail, data, first);
    memcpy(ring.data, data + first, len - first);
    ring.used += len;
}

/* Moves whole lines of at most PIPE_BUF bytes in all to `out`, so that one write() keeps them whole among the lines of
 * other processes. A longer line comes in parts. */
static size_t writer_ring_take(char out[static PIPE_BUF])
{
    size_t n = ring.used < PIPE_BUF ? ring.used : PIPE_BUF, first = ring.capacity - ring.head, lines;

    if (first > n)
        first = n;
    memcpy(out, ring.data + ring.head, first);
    memcpy(out + first, ring.data, n - first);
    for (lines = n; lines && out[lines - 1] != '\n'; lines--)
        ;
    if (lines)
        n = lines;
    ring.used -= n;
    ring.head = ring.used ? (ring.head + n) % ring.capacity : 0; /* an empty ring keeps to its first pages */
    return n;
}

/* Puts the line about lost lines before the next line, of `len` bytes. False when both do not fit. */
static bool writer_ring_tell_lost(size_t len)
{
    struct buf line = {0};
    bool fits;

    if (ring.lost == 0)
        return true;
    ring.tell_lost(&line, ring.lost);
    fits = ring.used + line.len + len <= ring.capacity;
    if (fits) {
        writer_ring_put(line.data, line.len);
        ring.lost = 0;
    }
    buf_free(&line);
    return fits;
}

static void *writer_run(void *unused)
{
    char chunk[PIPE_BUF];
    size_t n;

    (void)unused;
    pthread_mutex_lock(&ring.lock);
    for (;;) {
        if (ring.used == 0)
            writer_ring_tell_lost(0);
        if (ring.used == 0) {
            pthread_cond_broadcast(&ring.drained);
            if (ring.stopping)
                break;
            pthread_cond_wait(&ring.filled, &ring.lock);
            continue;
        }
        n = writer_ring_take(chunk);
        ring.writing = true;
        pthread_mutex_unlock(&ring.lock);
        writer_write(chunk, n);
        pthread_mutex_lock(&ring.lock);
        ring.writing = false;
    }
    pthread_mutex_unlock(&ring.lock);
    return NULL;
}

/* A process that aborts tells its last lines. Takes no lock: the thread that aborts may hold it. */
static void writer_on_abort(int number)
{
    char chunk[PIPE_BUF];

    (void)number;
    if (atomic_load(&state) != WRITER_RUNNING)
        return;
    atomic_store(&state, WRITER_STOPPED);
    while (ring.used && writer_try(chunk, writer_ring_take(chunk), ABORT_FLUSH_MS))
        ;
}

/* The child of a fork has no writer thread. */
static void writer_after_fork(void)
{
    atomic_store(&state, WRITER_DIRECT);
}

int log_writer_start(size_t capacity_bytes, log_writer_lost_fn tell_lost)
{
    pthread_condattr_t monotonic;
    sigset_t all, before;
    int status;

    if (atomic_load(&state) != WRITER_DIRECT)
        return 0;
    metric_register(&lines_lost);
    ring.data = must(malloc(capacity_bytes));
    ring.capacity = capacity_bytes;
    ring.tell_lost = tell_lost;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ring.drained, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sigfillset(&all); /* signals are handled by the loop's thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    status = pthread_create(&ring.thread, NULL, writer_run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status != 0)
        return -status;
    pthread_setname_np(ring.thread, "log");
    pthread_atfork(NULL, NULL, writer_after_fork);
    sigaction(SIGABRT, &(struct sigaction){.sa_handler = writer_on_abort}, NULL);
    atomic_store(&state, WRITER_RUNNING);
    return 0;
}

void log_writer_stop(unsigned timeout_ms)
{
    int expected = WRITER_RUNNING, status = 0;
    struct timespec until;

    if (!atomic_compare_exchange_strong(&state, &expected, WRITER_STOPPED))
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&ring.lock);
    ring.stopping = true;
    pthread_cond_signal(&ring.filled);
    while ((ring.used || ring.lost || ring.writing) && status == 0)
        status = pthread_cond_timedwait(&ring.drained, &ring.lock, &until);
    pthread_mutex_unlock(&ring.lock);
    if (status == 0)
        pthread_join(ring.thread, NULL);
    else
        pthread_detach(ring.thread); /* it waits in write(); the end of the process ends it */
}

void log_writer_add(const char *line, size_t len, bool wake)
{
    int now = atomic_load(&state);

    if (now == WRITER_DIRECT) {
        writer_write(line, len);
        return;
    }
    if (now == WRITER_STOPPED) {
        writer_try(line, len < PIPE_BUF ? len : PIPE_BUF, 0);
        return;
    }
    pthread_mutex_lock(&ring.lock);
    if (writer_ring_tell_lost(len) && ring.used + len <= ring.capacity) {
        writer_ring_put(line, len);
    } else {
        ring.lost++;
        metric_add(&lines_lost, 1);
    }
    if (wake || ring.used >= PIPE_BUF)
        pthread_cond_signal(&ring.filled);
    pthread_mutex_unlock(&ring.lock);
}

void log_writer_wake(void)
{
    if (atomic_load(&state) != WRITER_RUNNING)
        return;
    pthread_mutex_lock(&ring.lock);
    if (ring.used || ring.lost)
        pthread_cond_signal(&ring.filled);
    pthread_mutex_unlock(&ring.lock);
}
