/* Storage of uploaded bytes in files. The functions block: call them on the file threads only.
 *
 * A spooled image is named by its bytes, ab/abcdef….jpg, so the same bytes twice are one file. It is there before the
 * row that speaks of it: written to tmp/, synced, renamed, its folder synced. A file whose row never came (a crash in
 * between) is an orphan; the janitor removes old ones.
 */
#ifndef KITH_CORE_STORE_SPOOL_H
#define KITH_CORE_STORE_SPOOL_H

#include "core/actor/offload.h"
#include "core/base/error.h"
#include "core/base/hash.h"

#include <limits.h>
#include <stdatomic.h>

struct spool {
    char folder[PATH_MAX / 2]; /* absolute */
    uint64_t disk_reserve;     /* bytes of its disk below which nothing is written; 0: off */
    atomic_bool synced[256];   /* subfolders that this process has synced in `folder` */
};

/* Writes the name of the folder: `shared` when it is given, else one below `data`, which exists. 0 or negative errno
 * with `error`. */
int spool_find_folder(struct spool *spool, const char *shared, const char *data, struct error *error);

/* Makes the folder: `shared` when it is given (several nodes may use it), else one below `data`. 0 or negative errno
 * with `error`. */
int spool_open(struct spool *spool, const char *shared, const char *data, struct error *error);

/* A job that stores bytes. Fill spool, data and len (borrowed until it comes back), run spool_work. */
struct spool_job {
    struct msg head;
    const struct spool *spool;
    const void *data;
    size_t len;
    void *context; /* the caller's */
    /* the result */
    int status; /* 0 or negative errno */
    struct error error;
    char path[PATH_MAX];
    char sha256[SHA256_HEX_BYTES];
};
struct spool_job *spool_job_new(uint32_t type, const struct spool *spool, const void *data, size_t len, void *context);
void spool_work(struct msg *job);

/* Writes a file whole or not at all (temp file, rename); `durable` syncs it. 0 or negative errno. */
int spool_write(const char *folder, const char *path, const void *data, size_t len, int durable, struct error *error);

#endif
