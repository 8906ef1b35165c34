/* Loads a plug-in and checks that it speaks our ABI. Never unloads: C++ libraries do not survive dlclose
 * (thread-local destructors, unique symbols); a plug-in is replaced by replacing its process. Any thread, once each. */
#ifndef KITH_PLUGINS_HOST_LOADER_H
#define KITH_PLUGINS_HOST_LOADER_H

#include "core/base/error.h"
#include "plugins/recognizer.h"

#include <stdbool.h>

/* The descriptor in the shared object `file`, valid for the life of the process, or NULL with `error`. */
const struct kith_recognizer *loader_open(const char *file, struct error *error);

/* Checks a descriptor's members: 0, or -EINVAL with words that name what does not fit. */
int loader_check(const struct kith_recognizer *r, struct error *error);

/* The file that a setting means: a name ("dlib") in `folder` (empty: plugins/ beside the program, then the installed
 * one), or a path. Writes it to `file`; 0, or -ENOENT with `error` when there is none. */
int loader_find(const char *recognizer, const char *folder, char *file, size_t file_size, struct error *error);

/* Whether that recogniser's workers may connect to others: our own `grpc` always, one of somebody else's when the
 * setting (KITH_PLUGIN_ALLOW_NET) says "on". */
bool loader_has_network(const char *recognizer, const char *setting);

#endif
