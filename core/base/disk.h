/* Space of a file system, the durability of its names, and what its errors mean. Blocks as long as the file system
 * does: not on the loop thread, but for disk_fault_of. */
#ifndef KITH_CORE_BASE_DISK_H
#define KITH_CORE_BASE_DISK_H

#include <stdbool.h>
#include <stdint.h>

struct disk_space {
    uint64_t free;    /* bytes that this user may still write; UINT64_MAX: not known */
    uint64_t reserve; /* bytes to keep: the wanted reserve, on a small disk a sixteenth of it */
};

struct disk_space disk_read_space(const char *folder, uint64_t wanted_reserve);
/* Whether less than the reserve would be free after `bytes` have been written. */
bool disk_is_low(const char *folder, uint64_t wanted_reserve, uint64_t bytes);

/* Syncs the folder that holds `path`: until then a loss of power may take the name of a new file or folder. 0 or a
 * negative errno. A folder that this user may not read is left alone: another user made what is in it. */
int disk_sync_parent(const char *path);

/* What a failed open, lookup or read of a file is the fault of. */
enum disk_fault {
    DISK_FAULT_FILE,    /* the file: it is absent, forbidden, no regular file, … A repetition fails again */
    DISK_FAULT_STORAGE, /* the disk or the network file system: a repetition may succeed */
    DISK_FAULT_NODE     /* this process or machine: out of descriptors or memory. A repetition may succeed */
};

/* `code`: an errno of either sign. */
enum disk_fault disk_fault_of(int code);

#endif
