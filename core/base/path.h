/* Safe paths: a path from outside is only ever used below one of the image roots.
 *
 * A root is a folder opened once. A request's path is resolved textually to (root, rest) without touching the disk;
 * the file is opened later, by openat2(RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS | NO_XDEV) relative to the
 * root's descriptor, so that nothing that happens between the two can lead outside (reliability: never check by name,
 * use by name). Resolving: any thread. Opening may block on a slow disk: not on the loop.
 */
#ifndef KITH_CORE_BASE_PATH_H
#define KITH_CORE_BASE_PATH_H

#include "core/base/error.h"

#include <stddef.h>

struct path_roots;

enum { PATH_ROOTS_MAX = 16 };

/* Opens the folders of `list` (colon-separated; made when `create`). Returns owned, or NULL with `error`. */
struct path_roots *path_roots_open(const char *list, int create, struct error *error);
/* Adds one more folder, which a relative path is not looked up in. 0 or negative errno with `error`. */
int path_roots_add(struct path_roots *roots, const char *folder, struct error *error);
void path_roots_free(struct path_roots *roots);
/* The roots joined by colons, for messages. Borrowed. */
const char *path_roots_text(const struct path_roots *roots);

/* Checks a path from a request and writes the one name it has from now on (absolute, no `.` or empty parts) to `name`.
 * -EINVAL: empty, NUL or `..` inside; -ENAMETOOLONG: over `max_bytes`; -EACCES: outside every root. */
int path_normalize(const struct path_roots *roots, const char *path, size_t len, size_t max_bytes, char *name,
                   size_t name_size, struct error *error);

/* Opens a normalized name for reading. Returns a descriptor of a regular file below a root, or negative errno:
 * -ENOENT, -ELOOP (a symbolic link), -EXDEV (leads outside), -EINVAL (not a regular file), -EACCES, … */
int path_open(const struct path_roots *roots, const char *name, struct error *error);

#endif
