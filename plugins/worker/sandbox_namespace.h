/* A root folder with a few files: for kernels without Landlock. */
#ifndef KITH_PLUGINS_WORKER_SANDBOX_NAMESPACE_H
#define KITH_PLUGINS_WORKER_SANDBOX_NAMESPACE_H

#include <stdbool.h>

/* Enters user and mount namespaces in which only `paths` (it ends with NULL) have names, the same as outside. A process
 * of another user namespace cannot trace the parent. False: the system does not allow it to this user; the file system
 * is unchanged. Ends the process when the change of the root fails half-way. The process must have one thread. */
bool sandbox_namespace_enter(const char *const *paths);

#endif
