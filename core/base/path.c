#include "core/base/path.h"

#include "core/base/disk.h"
#include "core/base/must.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct root {
    char *folder; /* the setting made absolute; no trailing slash except for "/" */
    char *real;   /* `folder` with symbolic links resolved: an absolute path may begin with either */
    int fd;       /* O_PATH */
    int hidden;   /* relative paths are not looked up here */
};

struct path_roots {
    struct root at[PATH_ROOTS_MAX];
    int count;
    char *text;
};

static int path_make_folders(char *folder)
{
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(folder, 0755) < 0 && errno != EEXIST) {
            *slash = '/';
            return -errno;
        }
        *slash = '/';
    }
    return mkdir(folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int path_clean(const char *path, char *out, size_t size);

static char *path_absolute_folder(const char *folder)
{
    char cwd[PATH_MAX], joined[PATH_MAX * 2 + 2], out[PATH_MAX * 2 + 2];

    if (folder[0] == '/')
        snprintf(joined, sizeof joined, "%s", folder);
    else if (getcwd(cwd, sizeof cwd))
        snprintf(joined, sizeof joined, "%s/%s", cwd, folder);
    else
        return NULL;
    return path_clean(joined, out, sizeof out) == 0 ? strdup(out) : NULL;
}

static int path_add_root(struct path_roots *roots, const char *folder, int create, int hidden, struct error *error)
{
    char absolute[PATH_MAX], copy[PATH_MAX];
    struct root *root = &roots->at[roots->count];

    if (roots->count == PATH_ROOTS_MAX)
        return error_set(error, -E2BIG, "more than %d image roots", PATH_ROOTS_MAX);
    if (strlen(folder) >= sizeof copy)
        return error_set(error, -ENAMETOOLONG, "image root is longer than %zu bytes", sizeof copy - 1);
    strcpy(copy, folder);
    if (create && path_make_folders(copy) < 0)
        return error_set(error, -errno, "cannot make image root %s: %s", folder, strerror(errno));
    if (!realpath(folder, absolute))
        return error_set(error, -errno, "image root %s: %s", folder, strerror(errno));
    root->fd = open(absolute, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root->fd < 0)
        return error_set(error, -errno, "image root %s: %s", absolute, strerror(errno));
    root->real = strdup(absolute);
    if (!root->real)
        out_of_memory();
    root->folder = path_absolute_folder(folder);
    if (!root->folder) /* the setting holds `..`, or is "/" */
        root->folder = strdup(absolute);
    if (!root->folder)
        out_of_memory();
    root->hidden = hidden;
    roots->count++;
    return 0;
}

struct path_roots *path_roots_open(const char *list, int create, struct error *error)
{
    struct path_roots *roots = calloc(1, sizeof *roots);
    char *copy = strdup(list), *rest = copy, *folder;
    size_t len = 1;

    while ((folder = strsep(&rest, ":")))
        if (*folder && path_add_root(roots, folder, create, 0, error) < 0)
            goto fail;
    if (roots->count == 0) {
        error_set(error, -EINVAL, "no image root");
        goto fail;
    }
    for (int i = 0; i < roots->count; i++)
        len += strlen(roots->at[i].folder) + 1;
    roots->text = calloc(1, len);
    for (int i = 0; i < roots->count; i++)
        sprintf(roots->text + strlen(roots->text), "%s%s", i ? ":" : "", roots->at[i].folder);
    free(copy);
    return roots;
fail:
    free(copy);
    path_roots_free(roots);
    return NULL;
}

int path_roots_add(struct path_roots *roots, const char *folder, struct error *error)
{
    return path_add_root(roots, folder, 0, 1, error);
}

void path_roots_free(struct path_roots *roots)
{
    if (!roots)
        return;
    for (int i = 0; i < roots->count; i++) {
        close(roots->at[i].fd);
        free(roots->at[i].folder);
        free(roots->at[i].real);
    }
    free(roots->text);
    free(roots);
}

/* Writes "/" and the parts of `path` without empty ones and `.`. -EINVAL: a part is `..`; -ENOENT: nothing is left;
 * -ENAMETOOLONG: `out` is too small. */
static int path_clean(const char *path, char *out, size_t size)
{
    size_t n = 0;

    while (*path) {
        size_t part = strcspn(path, "/");

        if (part == 2 && path[0] == '.' && path[1] == '.')
            return -EINVAL;
        if (part && !(part == 1 && path[0] == '.')) {
            if (n + part + 2 > size)
                return -ENAMETOOLONG;
            out[n++] = '/';
            memcpy(out + n, path, part);
            n += part;
        }
        path += part;
        path += *path == '/';
    }
    out[n] = 0;
    return n ? 0 : -ENOENT;
}

/* Whether `path` begins as a URL does: a scheme (RFC 3986 §3.1), then "://". */
static bool path_is_url(const char *path, size_t len)
{
    size_t n = 0;

    while (n < len && (isalnum((unsigned char)path[n]) || strchr("+-.", path[n])))
        n++;
    return n && isalpha((unsigned char)path[0]) && len - n >= 3 && memcmp(path + n, "://", 3) == 0;
}

/* The part of `name` below `folder`, without a leading slash; NULL when there is none. */
static const char *path_below_folder(const char *folder, const char *name)
{
    size_t n = strlen(folder);

    if (n == 1)
        n = 0; /* every absolute name is below "/" */
    return strncmp(name, folder, n) == 0 && name[n] == '/' && name[n + 1] ? name + n + 1 : NULL;
}

static const char *path_below_root(const struct root *root, const char *name)
{
    const char *rest = path_below_folder(root->folder, name);

    return rest ? rest : path_below_folder(root->real, name);
}

static int path_check_length(const char *path, size_t len, size_t max_bytes, struct error *error)
{
    if (len == 0)
        return error_set(error, -EINVAL, "the path is empty");
    if (memchr(path, 0, len))
        return error_set(error, -EINVAL, "the path holds a NUL character");
    if (len > max_bytes || len >= PATH_MAX)
        return error_set(error, -ENAMETOOLONG, "the path has %zu bytes; the limit is %zu (KITH_MAX_PATH)", len,
                         max_bytes < PATH_MAX ? max_bytes : (size_t)PATH_MAX - 1);
    if (path_is_url(path, len))
        return error_set(error, -EINVAL, "the path is a URL; give the path of a file, or upload its bytes");
    return 0;
}

static int path_check_below(const struct path_roots *roots, const char *name, struct error *error)
{
    for (int i = 0; i < roots->count; i++) {
        if (path_below_root(&roots->at[i], name))
            return 0;
        if (strcmp(name, roots->at[i].folder) == 0 || strcmp(name, roots->at[i].real) == 0)
            return error_set(error, -EINVAL, "the path names an image root, not a file");
    }
    return error_set(error, -EACCES, "the path is outside the image roots %s (KITH_IMAGE_ROOTS)", roots->text);
}

/* Writes the name of `relative` below root `i`. */
static int path_join(const struct path_roots *roots, int i, const char *relative, char *name, size_t name_size,
                     struct error *error)
{
    const char *folder = strcmp(roots->at[i].folder, "/") == 0 ? "" : roots->at[i].folder;

    if ((size_t)snprintf(name, name_size, "%s/%s", folder, relative) >= name_size)
        return error_set(error, -ENAMETOOLONG, "the path is too long");
    return 0;
}

int path_resolve_text(const struct path_roots *roots, const char *path, size_t len, size_t max_bytes, char *name,
                      size_t name_size, struct error *error)
{
    char copy[PATH_MAX], relative[PATH_MAX + 1];
    int status = path_check_length(path, len, max_bytes, error);

    if (status < 0)
        return status;
    memcpy(copy, path, len);
    copy[len] = 0;
    status = path_clean(copy, relative, sizeof relative);
    if (status == -ENAMETOOLONG || (status == 0 && strlen(relative) >= name_size))
        return error_set(error, -ENAMETOOLONG, "the path is too long");
    if (status == -ENOENT)
        return error_set(error, -EINVAL, "the path names no file");
    if (status < 0)
        return error_set(error, status, "the path holds “..”; give it without");
    if (path[0] != '/') {
        strcpy(name, relative + 1);
        return 0;
    }
    strcpy(name, relative);
    return path_check_below(roots, name, error);
}

bool path_roots_are_several(const struct path_roots *roots)
{
    int visible = 0;

    for (int i = 0; i < roots->count; i++)
        visible += !roots->at[i].hidden;
    return visible > 1;
}

int path_find_root(const struct path_roots *roots, const char *relative, char *name, size_t name_size,
                   struct error *error)
{
    const bool several = path_roots_are_several(roots);

    for (int i = 0; i < roots->count && several; i++) {
        struct stat st;

        if (roots->at[i].hidden)
            continue;
        if (fstatat(roots->at[i].fd, relative, &st, AT_SYMLINK_NOFOLLOW) == 0)
            return path_join(roots, i, relative, name, name_size, error);
        if (disk_fault_of(errno) != DISK_FAULT_FILE) /* the file may be here: a later root could have another one */
            return error_set(error, -errno, "cannot look for the file in %s: %s", roots->at[i].folder, strerror(errno));
    }
    return path_join(roots, 0, relative, name, name_size, error);
}

int path_normalize(const struct path_roots *roots, const char *path, size_t len, size_t max_bytes, char *name,
                   size_t name_size, struct error *error)
{
    char relative[PATH_MAX];
    int status;

    if (len == 0 || path[0] == '/')
        return path_resolve_text(roots, path, len, max_bytes, name, name_size, error);
    status = path_resolve_text(roots, path, len, max_bytes, relative, sizeof relative, error);
    return status < 0 ? status : path_find_root(roots, relative, name, name_size, error);
}

static int path_open_below(int root_fd, const char *rest, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    long fd = syscall(SYS_openat2, root_fd, rest, &how, sizeof how);

    return fd < 0 ? -errno : (int)fd;
}

/* A descriptor of the regular file `name`, whose status is then in `st`. */
static int path_open_file(const struct path_roots *roots, const char *name, uint64_t flags, struct stat *st,
                          struct error *error)
{
    int fd = -EACCES;

    for (int i = 0; i < roots->count && fd == -EACCES; i++) {
        const char *rest = path_below_root(&roots->at[i], name);

        if (rest)
            fd = path_open_below(roots->at[i].fd, rest, flags);
    }
    if (fd == -ENOENT || fd == -ENOTDIR)
        return error_set(error, -ENOENT, PATH_NO_SUCH_FILE);
    if (fd == -ELOOP)
        return error_set(error, fd, "a symbolic link is in the path");
    if (fd == -EXDEV)
        return error_set(error, fd, "the path leads out of its image root or onto another file system");
    if (fd < 0)
        return error_set(error, fd, "cannot open: %s", strerror(-fd));
    if (fstat(fd, st) < 0) {
        const int code = -errno;

        close(fd);
        return error_set(error, code, "cannot open: %s", strerror(-code));
    }
    if (!S_ISREG(st->st_mode)) {
        close(fd);
        return error_set(error, -EINVAL, "not a regular file");
    }
    return fd;
}

int path_open(const struct path_roots *roots, const char *name, struct error *error)
{
    struct stat st;

    return path_open_file(roots, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, &st, error);
}

/* A time of exactly 0 is stored as 1 ns: 0 stands for a stamp that is not known. */
static struct file_stamp path_stamp_of(const struct stat *st)
{
    int64_t ns = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec;

    return (struct file_stamp){.size = st->st_size, .mtime_ns = ns ? ns : 1};
}

struct file_stamp path_stamp(int fd)
{
    struct stat st;

    return fstat(fd, &st) < 0 ? (struct file_stamp){0} : path_stamp_of(&st);
}

int path_look(const struct path_roots *roots, const char *name, struct file_stamp *stamp, struct error *error)
{
    struct stat st = {0};
    int fd = path_open_file(roots, name, O_PATH, &st, error);

    if (fd < 0)
        return fd;
    close(fd);
    *stamp = path_stamp_of(&st);
    return 0;
}
