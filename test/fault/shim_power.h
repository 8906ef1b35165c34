/* A loss of power, for test/fault/power.py: a journal of the writes to files below "/data/" that may still be lost.
 *
 * Before a write the journal gets what it will overwrite and what it writes; a sync says up to where the writes of its
 * file are kept. Names that were made by rename(2) and mkdir(2) are kept from the sync of their folder on. Any thread.
 * A signal handler may write to what is not a data file.
 */
#ifndef KITH_TEST_FAULT_SHIM_POWER_H
#define KITH_TEST_FAULT_SHIM_POWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Starts the journal in the file; NULL: there is none, and the other functions do nothing. */
void power_start(const char *path);

/* Each of three is called before the call, and power_ends with its result after it. A write of `len` bytes at `at`, -1:
 * at the file's position. */
bool power_write_begins(int fd, const void *data, size_t len, off_t at);
bool power_cut_begins(int fd, off_t size);
/* rename(2), or with NULL as `from` mkdir(2). */
bool power_name_begins(const char *from, const char *to);
void power_ends(bool begun);

/* Before a sync; returns the place that power_synced needs after it. */
uint64_t power_sync_begins(void);
void power_synced(int fd, uint64_t place);
/* A sync that failed: what was written before it is taken for synced from now on, and is not. */
void power_sync_failed(int fd);

#endif
