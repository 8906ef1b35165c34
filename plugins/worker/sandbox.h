/* The walls around a worker. Called by the worker itself, on its only thread. */
#ifndef KITH_PLUGINS_WORKER_SANDBOX_H
#define KITH_PLUGINS_WORKER_SANDBOX_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* First of all: dies with its parent, gains no privileges, leaves no core, writes no file, has bounded memory, and
 * reaches no other process, no other program and, unless it is allowed, no network. 0 or negative errno with `error`.
 */
int sandbox_enter(uint64_t max_memory, uint32_t parent, bool network, struct error *error);

/* When the models are loaded: opens nothing any more; only computing, memory and the socket it has are left. With
 * the network also connections to others, and files that are only read: names are looked up by them. */
int sandbox_close(bool network, struct error *error);

/* What this job may use of the CPU from now on; beyond it the kernel kills the process. */
void sandbox_allow_cpu(uint32_t seconds);

#endif
