/* The sandbox of a worker process. The worker enters it itself, on its only thread. */
#ifndef KITH_PLUGINS_WORKER_SANDBOX_H
#define KITH_PLUGINS_WORKER_SANDBOX_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Before the plug-in is loaded: the process dies with its parent, gains no privileges, dumps no core, writes no files,
 * has bounded memory (bytes; 0: no limit), cannot start programs or signal processes, and has no network unless
 * `network`. 0, or negative errno with `error`. */
int sandbox_enter(uint64_t max_memory, uint32_t parent, bool network, struct error *error);

/* After the plug-in has loaded its models: allows only computation, memory and the open socket. With `network` also
 * sockets, and opening files for reading, which name resolution needs. 0, or negative errno with `error`. */
int sandbox_close(bool network, struct error *error);

/* Sets the CPU time of the next job; beyond it the kernel kills the process. */
void sandbox_allow_cpu(uint32_t seconds);

#endif
