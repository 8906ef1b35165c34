/* Safe paths: a path from a client is only used below one of the image roots.
 *
 * A root is a folder, opened once. A client's path becomes a file in three steps:
 *   path_resolve_text  checks the text: no disk access, any thread
 *   path_find_root     finds the root of a relative path: disk access when there are several roots, so not on the loop
 *   path_open          opens the file by openat2(RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS | NO_XDEV) relative to
 *                      the root's descriptor: disk access, so not on the loop
 * The kernel enforces at the open that the file is below the root. The first two steps only choose a name.
 * The roots are constant after path_roots_add, so any thread may read them.
 */
#ifndef KITH_CORE_BASE_PATH_H
#define KITH_CORE_BASE_PATH_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The text of the error of path_open when the file does not exist. */
#define PATH_NO_SUCH_FILE "no such file"

struct path_roots;

/* Tells one content of a file from another without reading it. A file that is written twice within the resolution of
 * its file system's clock may keep its stamp. */
struct file_stamp {
    int64_t size;     /* bytes */
    int64_t mtime_ns; /* of the last modification, since the epoch; 0: the stamp is not known */
};

static inline bool file_stamp_is_known(struct file_stamp s)
{
    return s.mtime_ns != 0;
}

static inline bool file_stamp_equal(struct file_stamp a, struct file_stamp b)
{
    return a.size == b.size && a.mtime_ns == b.mtime_ns;
}

enum { PATH_ROOTS_MAX = 16 };

/* Opens the folders of `list`, separated by colons, and makes the missing ones when `create`. Returns owned, or NULL
 * with `error`. */
struct path_roots *path_roots_open(const char *list, int create, struct error *error);
/* Adds a hidden root: absolute paths may lie in it, relative paths are not looked up in it. 0 or negative errno with
 * `error`. */
int path_roots_add(struct path_roots *roots, const char *folder, struct error *error);
void path_roots_free(struct path_roots *roots);

/* Checks the text of a client's path, `len` bytes, and writes it to `name` without `.` and empty parts. An absolute
 * path is below a root and final. A relative path begins without a slash: path_find_root completes it. Any thread; no
 * disk access. 0, or with `error`:
 * -EINVAL: empty, a NUL or `..` in it, or it names no file (".", "/", a root itself);
 * -ENAMETOOLONG: longer than `max_bytes` or `name_size`; -EACCES: absolute and outside every root. */
int path_resolve_text(const struct path_roots *roots, const char *path, size_t len, size_t max_bytes, char *name,
                      size_t name_size, struct error *error);

/* Completes a relative name from path_resolve_text: the first visible root in which the name exists, else the first
 * root. Any thread; asks the file system when more than one root is visible, so it may block. 0, or with `error`:
 * -ENAMETOOLONG; a root cannot be read now: an errno for which disk_fault_of does not say DISK_FAULT_FILE. */
int path_find_root(const struct path_roots *roots, const char *relative, char *name, size_t name_size,
                   struct error *error);

/* Whether path_find_root looks at the disk: there are several visible roots. */
bool path_roots_are_several(const struct path_roots *roots);

/* Both steps at once, with the errors of path_resolve_text. May block as path_find_root does. */
int path_normalize(const struct path_roots *roots, const char *path, size_t len, size_t max_bytes, char *name,
                   size_t name_size, struct error *error);

/* Opens an absolute name for reading. Returns a descriptor of a regular file below a root, or negative errno with
 * `error`: -ENOENT, -ELOOP (a symbolic link), -EXDEV (another file system, or outside), -EINVAL (not a regular file),
 * -EACCES, … May block. */
int path_open(const struct path_roots *roots, const char *name, struct error *error);

/* The stamp of an open file; not known when it cannot be read. May block. */
struct file_stamp path_stamp(int fd);

/* Reads the stamp of a file without opening its data. 0, or negative errno with `error`, as path_open. May block. */
int path_look(const struct path_roots *roots, const char *name, struct file_stamp *stamp, struct error *error);

#endif
