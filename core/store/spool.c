#include "core/store/spool.h"

#include "core/base/disk.h"
#include "core/image/formats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

int spool_find_folder(struct spool *spool, const char *shared, const char *data, struct error *error)
{
    const char *setting = shared[0] ? "KITH_SPOOL" : "KITH_DATA", *base = shared[0] ? shared : data;
    char real[PATH_MAX];

    if (!realpath(base, real))
        return error_set(error, -errno, "%s: %s: %s", setting, base, strerror(errno));
    if (strlen(real) + 8 > sizeof spool->folder)
        return error_set(error, -ENAMETOOLONG, "%s: %s is too long a name", setting, real);
    snprintf(spool->folder, sizeof spool->folder, "%.*s%s", (int)sizeof spool->folder - 8, real,
             shared[0] ? "" : "/spool");
    return 0;
}

int spool_open(struct spool *spool, const char *shared, const char *data, struct error *error)
{
    const char *setting = shared[0] ? "KITH_SPOOL" : "KITH_DATA";
    char path[PATH_MAX + 16];
    int result;

    if (shared[0] && mkdir(shared, 0750) < 0 && errno != EEXIST)
        return error_set(error, -errno, "%s: %s: %s", setting, shared, strerror(errno));
    if ((result = spool_find_folder(spool, shared, data, error)) < 0)
        return result;
    snprintf(path, sizeof path, "%s/tmp", spool->folder);
    if ((mkdir(spool->folder, 0750) < 0 && errno != EEXIST) || (mkdir(path, 0750) < 0 && errno != EEXIST))
        return error_set(error, -errno, "%s: %s: %s", setting, path, strerror(errno));
    if ((result = disk_sync_parent(spool->folder)) < 0)
        return error_set(error, result, "%s: cannot sync the folder of %s: %s", setting, spool->folder,
                         strerror(-result));
    return 0;
}

/* Differs between the processes of the nodes that write into the same folder. */
static uint64_t spool_process_number(void)
{
    static _Atomic uint64_t number;
    uint64_t seen = atomic_load(&number), fresh = 0;

    if (seen)
        return seen;
    if (getrandom(&fresh, sizeof fresh, 0) < 0 || fresh == 0)
        fresh = (uint64_t)getpid();
    return atomic_compare_exchange_strong(&number, &seen, fresh) ? fresh : seen;
}

static int spool_sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

    if (fd < 0)
        return -errno;
    result = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return result;
}

static int spool_write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno != EINTR)
            return -errno;
        data += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int spool_write(const char *folder, const char *path, const void *data, size_t len, int durable, struct error *error)
{
    static _Atomic unsigned serial;
    char temporary[PATH_MAX];
    int fd, result;

    snprintf(temporary, sizeof temporary, "%s/tmp/%llx-%u", folder, (unsigned long long)spool_process_number(),
             atomic_fetch_add(&serial, 1));
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    result = fd < 0 ? -errno : spool_write_all(fd, data, len);
    if (result == 0 && durable && fsync(fd) < 0)
        result = -errno;
    if (fd >= 0 && close(fd) < 0 && result == 0)
        result = -errno;
    if (result == 0 && rename(temporary, path) < 0)
        result = -errno;
    if (result == 0)
        return 0;
    unlink(temporary);
    return error_set(error, result, result == -ENOSPC ? "the disk of KITH_DATA is full" : "cannot write %s: %s", path,
                     strerror(-result));
}

/* Makes the subfolder of a hash. Its name is durable only after a sync of its parent, which an earlier process or a
 * failed sync may have left out: it is done once in a process for each subfolder, and again until it succeeds. */
static int spool_make_folder(struct spool *spool, const char *folder, unsigned number)
{
    int result = mkdir(folder, 0750) < 0 ? -errno : 0;

    if (result < 0 && result != -EEXIST)
        return result;
    if (result == -EEXIST && atomic_load(&spool->synced[number]))
        return 0;
    result = spool_sync_folder(spool->folder);
    atomic_store(&spool->synced[number], result == 0);
    return result;
}

static int spool_store(struct spool_job *job)
{
    struct spool *spool = (struct spool *)(uintptr_t)job->spool; /* only its atomic members change */
    char folder[PATH_MAX / 2 + 8];
    unsigned number = 0;
    bool exists;
    int result;

    sha256_hex(job->data, job->len, job->sha256);
    sscanf(job->sha256, "%2x", &number);
    snprintf(folder, sizeof folder, "%s/%.2s", spool->folder, job->sha256);
    snprintf(job->path, sizeof job->path, "%s/%s.%s", folder, job->sha256,
             image_format(sniff(job->data, job->len).type)->ending);
    /* The file exists: a new time protects it from the collection of orphans; it was synced before its rename. */
    exists = utimensat(AT_FDCWD, job->path, NULL, 0) == 0;
    if (!exists && disk_is_low(spool->folder, spool->disk_reserve, job->len))
        return error_set(&job->error, -ENOSPC, "the disk of the spool has less than KITH_DISK_RESERVE bytes free");
    if ((result = spool_make_folder(spool, folder, number)) < 0)
        return error_set(&job->error, result, "cannot make %s: %s", folder, strerror(-result));
    if (!exists && (result = spool_write(spool->folder, job->path, job->data, job->len, 1, &job->error)) < 0)
        return result;
    if ((result = spool_sync_folder(folder)) < 0)
        return error_set(&job->error, result, "cannot sync %s: %s", folder, strerror(-result));
    return 0;
}

void spool_work(struct msg *m)
{
    struct spool_job *job = (struct spool_job *)m;

    job->status = spool_store(job);
}

struct spool_job *spool_job_new(uint32_t type, const struct spool *spool, const void *data, size_t len, void *context)
{
    struct spool_job *job = (struct spool_job *)msg_new(type, sizeof *job);

    job->spool = spool;
    job->data = data;
    job->len = len;
    job->context = context;
    return job;
}
