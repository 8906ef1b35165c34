/* The writer of log lines: a bounded ring in memory and a thread that writes it to standard error.
 *
 * Before log_writer_start and in a forked child, log_writer_add writes at once and may block. After it, no caller
 * blocks: a line that does not fit is dropped and counted. When lines fit again, one line says how many were lost.
 * After log_writer_stop lines are written only when standard error can take them. Any thread may add lines.
 */
#ifndef KITH_CORE_BASE_LOG_WRITER_H
#define KITH_CORE_BASE_LOG_WRITER_H

#include "core/base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Appends to `out` a line that tells that `lost` lines were dropped. */
typedef void (*log_writer_lost_fn)(struct buf *out, uint64_t lost);

/* Makes the ring of `capacity_bytes` and starts the thread. Returns 0 or negative errno. Once a process. */
int log_writer_start(size_t capacity_bytes, log_writer_lost_fn tell_lost);

/* Writes what the ring holds for at most `timeout_ms`, then ends the thread. */
void log_writer_stop(unsigned timeout_ms);

/* Adds one line with its newline. `wake`: the thread shall write it now; else it may wait for log_writer_wake. */
void log_writer_add(const char *line, size_t len, bool wake);
void log_writer_wake(void);

#endif
