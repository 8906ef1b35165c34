/* The sandbox of a worker process. The worker enters it itself, on its only thread.
 *
 *   sandbox.c         the order of the steps, resource limits, capabilities
 *   sandbox_files.c   the files that a worker may read, by sandbox_landlock.c, else sandbox_namespace.c
 *   sandbox_filter.c  the system calls that it may make
 */
#ifndef KITH_PLUGINS_WORKER_SANDBOX_H
#define KITH_PLUGINS_WORKER_SANDBOX_H

#include "core/base/error.h"
#include "plugins/shared/protocol.h"

#include <stdbool.h>
#include <stdint.h>

struct sandbox_options {
    uint64_t max_memory;      /* bytes; 0: no limit */
    uint32_t parent;          /* process id */
    bool network;             /* the plug-in may connect to other machines */
    const char *const *files; /* files and folders that it may read; ends with NULL, missing ones are ignored */
};

/* Before the plug-in is loaded: the process dies with its parent, has no capabilities, gains no privileges, dumps no
 * core, opens no file for writing, reads only `files`, has bounded memory, cannot start programs, cannot reach other
 * processes, and has no network unless `network`. `held` tells what limits the files. 0, or negative errno with
 * `error`. */
int sandbox_enter(const struct sandbox_options *options, enum sandbox_files *held, struct error *error);

/* After the plug-in has loaded its models, for all threads: allows only computation, memory and the open descriptors.
 * With `network` also sockets, and opening files for reading, which name resolution needs. 0, or negative errno with
 * `error`. */
int sandbox_close(bool network, struct error *error);

/* Sets the CPU time of the next job; beyond it the kernel kills the process. */
void sandbox_allow_cpu(uint32_t seconds);

#endif
