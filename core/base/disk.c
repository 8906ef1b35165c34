#include "core/base/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { LARGEST_SHARE = 16 }; /* the reserve is at most this part of the disk */

struct disk_space disk_read_space(const char *folder, uint64_t wanted_reserve)
{
    struct statvfs fs;
    struct disk_space space = {.free = UINT64_MAX, .reserve = wanted_reserve};
    uint64_t most;

    if (statvfs(folder, &fs) != 0)
        return space;
    space.free = (uint64_t)fs.f_bavail * fs.f_frsize;
    most = (uint64_t)fs.f_blocks * fs.f_frsize / LARGEST_SHARE;
    if (space.reserve > most)
        space.reserve = most;
    return space;
}

bool disk_is_low(const char *folder, uint64_t wanted_reserve, uint64_t bytes)
{
    struct disk_space space;

    if (wanted_reserve == 0)
        return false;
    space = disk_read_space(folder, wanted_reserve);
    return space.free < UINT64_MAX && space.free < space.reserve + bytes;
}

/* Writes the path of the folder that holds `path`. */
static void disk_find_parent(const char *path, char parent[static PATH_MAX])
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    if (len >= PATH_MAX)
        len = 0;
    memcpy(parent, path, len);
    parent[len] = 0;
    if (len == 0)
        memcpy(parent, ".", sizeof ".");
}

int disk_sync_parent(const char *path)
{
    char parent[PATH_MAX];
    int fd, result;

    disk_find_parent(path, parent);
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? 0 : -errno;
    result = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return result;
}
