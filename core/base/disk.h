/* Free space of a file system. Blocks as long as the file system does: not on the loop thread. */
#ifndef KITH_CORE_BASE_DISK_H
#define KITH_CORE_BASE_DISK_H

#include <stdint.h>

/* Bytes that this user may still write in the file system of `folder`; UINT64_MAX when it is not known. */
uint64_t disk_free_bytes(const char *folder);

#endif
