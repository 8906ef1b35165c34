#include "plugins/worker/sandbox_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATHS_MAX = 64 };

#define NEW_ROOT "/tmp" /* the mount point; what it covers is opened before */

static bool namespace_write(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return ok;
}

/* Without a map the kernel refuses to make files for an unknown user. */
static bool namespace_map_user(uid_t uid, gid_t gid)
{
    char users[32], groups[32];

    snprintf(users, sizeof users, "%u %u 1", uid, uid);
    snprintf(groups, sizeof groups, "%u %u 1", gid, gid);
    return namespace_write("/proc/self/setgroups", "deny") && namespace_write("/proc/self/uid_map", users) &&
           namespace_write("/proc/self/gid_map", groups);
}

/* Makes the folders above `path`, and the folder itself when `whole`. */
static void namespace_make_folders(char *path, bool whole)
{
    for (char *slash = strchr(path + sizeof NEW_ROOT, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0755);
        *slash = '/';
    }
    if (whole)
        mkdir(path, 0755);
}

/* Gives the file or folder of `fd` the name `path` below the new root. */
static bool namespace_bind(int fd, const char *folder, const char *path)
{
    const bool absolute = path[0] == '/';
    char source[32], target[2 * PATH_MAX];
    struct stat st;
    int made;

    snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
    snprintf(target, sizeof target, NEW_ROOT "%s%s%s", absolute ? "" : folder, absolute ? "" : "/", path);
    if (fstat(fd, &st) < 0)
        return false;
    namespace_make_folders(target, S_ISDIR(st.st_mode));
    if (!S_ISDIR(st.st_mode) && (made = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0444)) >= 0)
        close(made);
    return mount(source, target, NULL, MS_BIND | MS_REC, NULL) == 0 || errno == ENOENT;
}

/* False leaves the mount point as it was. */
static bool namespace_build_root(const char *const *paths, const char *folder)
{
    int fds[PATHS_MAX], count = 0;
    char working[sizeof NEW_ROOT + PATH_MAX];
    bool mounted, ok;

    for (; paths[count] && count < PATHS_MAX; count++)
        fds[count] = open(paths[count], O_PATH | O_CLOEXEC);
    mounted = mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
              mount("none", NEW_ROOT, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m") == 0;
    ok = mounted;
    for (int i = 0; i < count; i++) {
        if (fds[i] < 0)
            continue;
        ok = ok && namespace_bind(fds[i], folder, paths[i]);
        close(fds[i]);
    }
    snprintf(working, sizeof working, NEW_ROOT "%s", folder);
    namespace_make_folders(working, true);
    if (mounted && !ok)
        umount2(NEW_ROOT, MNT_DETACH);
    return ok;
}

bool sandbox_namespace_enter(const char *const *paths)
{
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    char folder[PATH_MAX];

    if (!getcwd(folder, sizeof folder) || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return false;
    if (!namespace_map_user(uid, gid) || !namespace_build_root(paths, folder))
        return false;
    if (chdir(NEW_ROOT) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir(folder) < 0)
        _exit(1); /* the old root may still be below the new one */
    return true;
}
