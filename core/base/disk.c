#include "core/base/disk.h"

#include <sys/statvfs.h>

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
