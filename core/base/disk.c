#include "core/base/disk.h"

#include <sys/statvfs.h>

uint64_t disk_free_bytes(const char *folder)
{
    struct statvfs fs;

    return statvfs(folder, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
}
