#include "cli/serve/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static uv_timer_t watchdog;
static int watching;

void notify_manager(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    int fd;

    if (n < 2 || n >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path, n);
    if (to.sun_path[0] == '@')
        to.sun_path[0] = 0; /* a name in the abstract namespace */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
    close(fd);
}

static void on_watchdog(uv_timer_t *timer)
{
    (void)timer;
    notify_manager("WATCHDOG=1");
}

void notify_watchdog(uv_loop_t *loop)
{
    const char *period = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t ms = period ? strtoull(period, NULL, 10) / 2000 : 0;

    if (ms == 0 || (pid && strtol(pid, NULL, 10) != getpid()))
        return;
    uv_timer_init(loop, &watchdog);
    uv_timer_start(&watchdog, on_watchdog, 0, ms);
    uv_unref((uv_handle_t *)&watchdog);
    watching = 1;
}

void notify_watchdog_stop(void)
{
    if (watching)
        uv_close((uv_handle_t *)&watchdog, NULL);
    watching = 0;
}
