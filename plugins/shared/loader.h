/* Loads a plug-in and checks its ABI. It is never unloaded: C++ libraries do not support dlclose(3) (thread-local
 * destructors, unique symbols); a new process loads a new plug-in. Any thread. */
#ifndef KITH_PLUGINS_SHARED_LOADER_H
#define KITH_PLUGINS_SHARED_LOADER_H

#include "core/base/error.h"
#include "plugins/recognizer.h"

#include <stdbool.h>

/* The descriptor in the shared object `file`, valid for the life of the process, or NULL with `error`. */
const struct kith_recognizer *loader_open(const char *file, struct error *error);

/* Checks the members of a descriptor: 0, or -EINVAL with `error`. */
int loader_check(const struct kith_recognizer *r, struct error *error);

/* Resolves KITH_RECOGNIZER to a file: a path, or a name ("dlib") in `folder`; an empty `folder` means plugins/ beside
 * the program, then the installed one. Writes it to `file`; 0, or -ENOENT with `error`. */
int loader_find(const char *recognizer, const char *folder, char *file, size_t file_size, struct error *error);

/* Whether the workers of a recogniser may use the network: `grpc` always, others when `setting`
 * (KITH_PLUGIN_ALLOW_NET) is "on". */
bool loader_has_network(const char *recognizer, const char *setting);

/* The default number of workers: one for each CPU that this process may use. `grpc`: one, because the original's
 * service mixes up the answers of calls that overlap. */
uint32_t loader_workers(const char *recognizer);

#endif
