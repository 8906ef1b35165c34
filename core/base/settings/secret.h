/* Files that hold a secret. */
#ifndef KITH_CORE_BASE_SETTINGS_SECRET_H
#define KITH_CORE_BASE_SETTINGS_SECRET_H

#include "core/base/error.h"

#include <sys/types.h>

/* Reads the whole file that the setting `origin` names into `text`, NUL-terminated. Returns the number of bytes, or
 * negative errno with `error`: the file is missing, readable by all users, not a regular file, or does not fit. */
ssize_t secret_read(const char *file, const char *origin, char *text, size_t size, struct error *error);

enum { SECRET_BYTES = 8192 };
/* The same for a secret of one line: without its line end. */
ssize_t secret_read_line(const char *file, const char *origin, char text[static SECRET_BYTES], struct error *error);

#endif
