/* Reports to the service manager by the protocol of sd_notify: ready, stopping, watchdog. Loop thread. */
#ifndef KITH_CLI_SERVE_NOTIFY_H
#define KITH_CLI_SERVE_NOTIFY_H

#include <uv.h>

/* Sends one line of state, "READY=1"; nothing without NOTIFY_SOCKET. Does not block. */
void notify_manager(const char *state);
/* With WATCHDOG_USEC: sends WATCHDOG=1 from the loop twice in each period, so that a blocked loop is noticed. */
void notify_watchdog(uv_loop_t *loop);
void notify_watchdog_stop(void);

#endif
