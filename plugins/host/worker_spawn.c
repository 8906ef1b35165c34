/* Starts workers: a child process for each, or a thread of this process for a trusted plug-in. */
#include "plugins/host/worker_internal.h"

#include "plugins/worker/worker_main.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PASSED_VARIABLES = 4, THREAD_STACK_BYTES = 8 << 20 };

static void *spawn_run_thread(void *arg)
{
    worker_main((int)(intptr_t)arg);
    return NULL;
}

/* The thread receives no signals: they belong to the loop thread. */
int worker_spawn_thread(int fd)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    int result;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&thread, &attributes, spawn_run_thread, (void *)(intptr_t)fd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return -result;
}

/* The child inherits only the variables that the dynamic linker or a sanitizer needs. Numeric libraries are limited to
 * one thread, because each worker is meant to use one core. */
int worker_spawn_process(struct worker *w, int fd)
{
    static const char *const passed[PASSED_VARIABLES] = {"LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                                         "TSAN_OPTIONS"};
    const int output = worker_stderr_open(w);
    char *environment[12] = {"OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "MALLOC_ARENA_MAX=2", "LC_ALL=C.UTF-8"};
    char values[PASSED_VARIABLES][1024], *arguments[] = {(char *)(uintptr_t)w->options.program, "worker", NULL};
    uv_stdio_container_t stdio[] = {{.flags = UV_IGNORE},
                                    {.flags = UV_INHERIT_FD, .data.fd = output},
                                    {.flags = UV_INHERIT_FD, .data.fd = output},
                                    {.flags = UV_INHERIT_FD, .data.fd = fd}};
    uv_process_options_t options = {.exit_cb = worker_process_exited,
                                    .file = w->options.program,
                                    .args = arguments,
                                    .env = environment,
                                    .stdio = stdio,
                                    .stdio_count = 4};
    int count = 4, result;

    if (output < 0)
        return output;
    for (int i = 0; i < PASSED_VARIABLES; i++)
        if (getenv(passed[i])) {
            snprintf(values[i], sizeof values[i], "%s=%s", passed[i], getenv(passed[i]));
            environment[count++] = values[i];
        }
    w->open_handles++;
    w->process.data = w;
    result = uv_spawn(w->options.loop, &w->process, &options);
    close(output);
    if (result < 0)
        uv_close((uv_handle_t *)&w->process, worker_handle_closed);
    else
        w->has_process = true;
    return result;
}

int worker_memory(const void *data, size_t len)
{
    int fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t written = 0;

    if (fd < 0)
        return -errno;
    while (written < len) {
        ssize_t n = write(fd, (const char *)data + written, len - written);

        if (n < 0 && errno != EINTR) {
            n = -errno;
            close(fd);
            return (int)n;
        }
        written += n > 0 ? (size_t)n : 0;
    }
    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    return fd;
}
