/* Files that hold a secret. */
#ifndef KITH_CORE_BASE_SECRET_H
#define KITH_CORE_BASE_SECRET_H

#include "core/base/error.h"

#include <sys/types.h>

/* Reads the file that the setting `origin` names, whole and NUL-terminated. The number of bytes, or negative errno with
 * `error`: one that is missing, that everybody may read, that is no file or that does not fit is refused. */
ssize_t secret_read(const char *file, const char *origin, char *text, size_t size, struct error *error);

#endif
