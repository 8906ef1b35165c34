/* Limits the files that a worker can read by name. */
#ifndef KITH_PLUGINS_WORKER_SANDBOX_FILES_H
#define KITH_PLUGINS_WORKER_SANDBOX_FILES_H

#include "plugins/shared/protocol.h"

/* Limits the process to reading `paths` (it ends with NULL) and what is below them, by the first of these that the
 * system has, and returns which:
 *
 *   Landlock     Linux 5.13: a file that is not listed cannot be opened
 *   namespace    user and mount namespaces: only the listed files have a name
 *   other user   for root: the user `nobody` reads what everybody may read
 *
 * Paths that do not exist are ignored. The process must have one thread. */
enum sandbox_files sandbox_files_restrict(const char *const *paths);

#endif
