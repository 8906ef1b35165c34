/* What the service manager is told (sd_notify's protocol): ready, stopping, and that the loop turns. */
#ifndef KITH_CLI_SERVE_NOTIFY_H
#define KITH_CLI_SERVE_NOTIFY_H

#include <uv.h>

/* Sends one line of state, "READY=1"; nothing without NOTIFY_SOCKET. Does not block. */
void notify_manager(const char *state);
/* When the manager watches (WATCHDOG_USEC), tells it from the loop, twice in each period, that the loop turns. */
void notify_watchdog(uv_loop_t *loop);
void notify_watchdog_stop(void);

#endif
