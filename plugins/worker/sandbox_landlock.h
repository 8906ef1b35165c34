/* Landlock (landlock(7)) with raw system calls: libc has no wrappers. */
#ifndef KITH_PLUGINS_WORKER_SANDBOX_LANDLOCK_H
#define KITH_PLUGINS_WORKER_SANDBOX_LANDLOCK_H

#include <stdbool.h>

/* Allows reading `paths` (it ends with NULL) and what is below them; forbids all else that the kernel's ABI version
 * knows. Also forbids ptrace(2) and signals of processes outside. False: the kernel has no Landlock; nothing changed.
 */
bool sandbox_landlock_enter(const char *const *paths);

#endif
