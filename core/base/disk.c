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

/* An errno that is not listed is the file's fault. */
static const struct {
    int code;
    enum disk_fault fault;
} disk_faults[] = {
    /* the device, or its file system, which a repair may help */
    {EIO, DISK_FAULT_STORAGE},
    {EREMOTEIO, DISK_FAULT_STORAGE},
    {EBADMSG, DISK_FAULT_STORAGE}, /* a wrong checksum */
    {EUCLEAN, DISK_FAULT_STORAGE}, /* the structure is damaged */
    {ENOMEDIUM, DISK_FAULT_STORAGE},
    /* NFS, SMB, FUSE: the server has restarted, or it or the network is away */
    {ESTALE, DISK_FAULT_STORAGE},
    {ETIMEDOUT, DISK_FAULT_STORAGE},
    {EHOSTDOWN, DISK_FAULT_STORAGE},
    {EHOSTUNREACH, DISK_FAULT_STORAGE},
    {ENETDOWN, DISK_FAULT_STORAGE},
    {ENETUNREACH, DISK_FAULT_STORAGE},
    {ENETRESET, DISK_FAULT_STORAGE},
    {ECONNREFUSED, DISK_FAULT_STORAGE},
    {ECONNRESET, DISK_FAULT_STORAGE},
    {ECONNABORTED, DISK_FAULT_STORAGE},
    {ENOTCONN, DISK_FAULT_STORAGE},
    {ESHUTDOWN, DISK_FAULT_STORAGE},
    {ENOLINK, DISK_FAULT_STORAGE},
    {EPROTO, DISK_FAULT_STORAGE},
    /* an encrypted folder that is not unlocked; NFS without a Kerberos ticket */
    {ENOKEY, DISK_FAULT_STORAGE},
    {EKEYEXPIRED, DISK_FAULT_STORAGE},
    {EKEYREVOKED, DISK_FAULT_STORAGE},
    {EKEYREJECTED, DISK_FAULT_STORAGE},
    /* another program has a lease of the file; a signal */
    {EBUSY, DISK_FAULT_STORAGE},
    {EAGAIN, DISK_FAULT_STORAGE},
    {EINTR, DISK_FAULT_STORAGE},
    /* this process or machine */
    {EMFILE, DISK_FAULT_NODE},
    {ENFILE, DISK_FAULT_NODE},
    {ENOMEM, DISK_FAULT_NODE},
    {ENOBUFS, DISK_FAULT_NODE},
};

enum disk_fault disk_fault_of(int code)
{
    const int positive = code < 0 ? -code : code;

    for (size_t i = 0; i < sizeof disk_faults / sizeof disk_faults[0]; i++)
        if (disk_faults[i].code == positive)
            return disk_faults[i].fault;
    return DISK_FAULT_FILE;
}
