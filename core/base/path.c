#include "core/base/path.h"

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
    char *folder; /* as given, made absolute; no trailing slash except for "/" */
    char *real;   /* the same with symbolic links resolved: a name may begin with either */
    int fd;
    int hidden; /* not for relative paths */
};

struct path_roots {
    struct root at[PATH_ROOTS_MAX];
    int count;
    char *text;
};

static int make_folders(char *folder)
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

static int clean(const char *path, char *out, size_t size);

static char *absolute_name(const char *folder)
{
    char cwd[PATH_MAX], joined[PATH_MAX * 2 + 2], out[PATH_MAX * 2 + 2];

    if (folder[0] == '/')
        snprintf(joined, sizeof joined, "%s", folder);
    else if (getcwd(cwd, sizeof cwd))
        snprintf(joined, sizeof joined, "%s/%s", cwd, folder);
    else
        return NULL;
    return clean(joined, out, sizeof out) == 0 ? strdup(out) : NULL;
}

static int add_root(struct path_roots *roots, const char *folder, int create, int hidden, struct error *error)
{
    char absolute[PATH_MAX], copy[PATH_MAX];
    struct root *root = &roots->at[roots->count];

    if (roots->count == PATH_ROOTS_MAX)
        return error_set(error, -E2BIG, "more than %d image roots", PATH_ROOTS_MAX);
    if (strlen(folder) >= sizeof copy)
        return error_set(error, -ENAMETOOLONG, "image root is longer than %zu bytes", sizeof copy - 1);
    strcpy(copy, folder);
    if (create && make_folders(copy) < 0)
        return error_set(error, -errno, "cannot make image root %s: %s", folder, strerror(errno));
    if (!realpath(folder, absolute))
        return error_set(error, -errno, "image root %s: %s", folder, strerror(errno));
    root->fd = open(absolute, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root->fd < 0)
        return error_set(error, -errno, "image root %s: %s", absolute, strerror(errno));
    root->real = strdup(absolute);
    if (!root->real)
        abort();
    root->folder = absolute_name(folder);
    if (!root->folder) /* holds `..`, or is "/" */
        root->folder = strdup(absolute);
    if (!root->folder)
        abort();
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
        if (*folder && add_root(roots, folder, create, 0, error) < 0)
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
    return add_root(roots, folder, 0, 1, error);
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

const char *path_roots_text(const struct path_roots *roots)
{
    return roots->text;
}

/* Drops empty parts and `.`; refuses `..`. */
static int clean(const char *path, char *out, size_t size)
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
    return n ? 0 : -EINVAL;
}

static const char *below_folder(const char *folder, const char *name)
{
    size_t n = strlen(folder);

    if (n == 1)
        n = 0; /* all is below "/" */
    return strncmp(name, folder, n) == 0 && name[n] == '/' && name[n + 1] ? name + n + 1 : NULL;
}

/* The part of `name` below `root`, or NULL. */
static const char *below(const struct root *root, const char *name)
{
    const char *rest = below_folder(root->folder, name);

    return rest ? rest : below_folder(root->real, name);
}

int path_normalize(const struct path_roots *roots, const char *path, size_t len, size_t max_bytes, char *name,
                   size_t name_size, struct error *error)
{
    char full[PATH_MAX * 2];
    int status;

    if (len == 0)
        return error_set(error, -EINVAL, "the path is empty");
    if (memchr(path, 0, len))
        return error_set(error, -EINVAL, "the path holds a NUL character");
    if (len > max_bytes || len >= PATH_MAX)
        return error_set(error, -ENAMETOOLONG, "the path has %zu bytes; the limit is %zu (KITH_MAX_PATH)", len,
                         max_bytes < PATH_MAX ? max_bytes : (size_t)PATH_MAX - 1);
    if (path[0] == '/')
        snprintf(full, sizeof full, "%.*s", (int)len, path);
    else
        snprintf(full, sizeof full, "%s/%.*s", roots->at[0].folder, (int)len, path);
    status = clean(full, name, name_size);
    if (status == -ENAMETOOLONG)
        return error_set(error, status, "the path is too long");
    if (status < 0)
        return error_set(error, status, "the path holds “..”; give it without");
    if (path[0] != '/' && roots->count > 1) {
        /* A relative path belongs to the first root that has it; when none does, to the first of all. */
        for (int i = 0; i < roots->count; i++) {
            struct stat st;
            const char *rest = name + strlen(roots->at[0].folder) + 1;

            if (roots->at[i].hidden || fstatat(roots->at[i].fd, rest, &st, AT_SYMLINK_NOFOLLOW) < 0)
                continue;
            snprintf(full, sizeof full, "%s/%s", roots->at[i].folder, rest);
            return clean(full, name, name_size);
        }
    }
    for (int i = 0; i < roots->count; i++)
        if (below(&roots->at[i], name))
            return 0;
    return error_set(error, -EACCES, "the path is outside the image roots %s (KITH_IMAGE_ROOTS)", roots->text);
}

static int open_below(int root_fd, const char *rest)
{
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    long fd = syscall(SYS_openat2, root_fd, rest, &how, sizeof how);

    return fd < 0 ? -errno : (int)fd;
}

int path_open(const struct path_roots *roots, const char *name, struct error *error)
{
    struct stat st;
    int fd = -EACCES;

    for (int i = 0; i < roots->count && fd == -EACCES; i++) {
        const char *rest = below(&roots->at[i], name);

        if (rest)
            fd = open_below(roots->at[i].fd, rest);
    }
    if (fd == -ENOENT || fd == -ENOTDIR)
        return error_set(error, -ENOENT, "no such file");
    if (fd == -ELOOP)
        return error_set(error, fd, "a symbolic link is in the path");
    if (fd == -EXDEV)
        return error_set(error, fd, "the path leads out of its image root or onto another file system");
    if (fd < 0)
        return error_set(error, fd, "cannot open: %s", strerror(-fd));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return error_set(error, -EINVAL, "not a regular file");
    }
    return fd;
}
