/* The seccomp filters of a worker. Both are lists of what is allowed; any other system call fails with EPERM. */
#ifndef KITH_PLUGINS_WORKER_SANDBOX_FILTER_H
#define KITH_PLUGINS_WORKER_SANDBOX_FILTER_H

#include "core/base/error.h"

#include <stdbool.h>

enum filter_phase {
    FILTER_LOADING,  /* computation, and opening files for reading */
    FILTER_COMPUTING /* computation only; with `network` as FILTER_LOADING */
};

/* Loads the filter for all threads of the process. 0, or negative errno with `error`. */
int sandbox_filter_load(enum filter_phase phase, bool network, struct error *error);

#endif
