#include "test/fault/shim_power.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum power_kind { POWER_WRITE, POWER_CUT, POWER_NAME, POWER_SYNC, POWER_SYNC_FAILED };

struct power_entry { /* then `old_len` bytes of the file, `new_len` bytes that are written, or two names */
    uint32_t kind;
    uint32_t new_len;
    uint64_t inode;
    int64_t at;
    int64_t size;   /* of the file, before */
    uint64_t place; /* POWER_SYNC…: entries before this place of the journal are kept */
    uint64_t old_len;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static uint64_t length;

void power_start(const char *path)
{
    if (path && (journal = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
        abort();
}

/* By system calls: write(2) is the shim's. */
static void power_append(const void *data, size_t len)
{
    if (syscall(SYS_write, journal, data, len) != (long)len)
        abort();
    length += len;
}

/* Whether the file is kith's own data, and its state. */
static bool power_is_data(int fd, struct stat *st)
{
    char link[32], path[4096] = "";

    if (fstat(fd, st) < 0 || !(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)))
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof path - 1) > 0 && (strstr(path, "/data/") || S_ISDIR(st->st_mode));
}

static void power_append_file(int fd, int64_t at, uint64_t len)
{
    char part[16384];

    while (len) {
        size_t some = len < sizeof part ? (size_t)len : sizeof part;

        if (syscall(SYS_pread64, fd, part, some, at) != (long)some)
            abort();
        power_append(part, some);
        at += (int64_t)some;
        len -= some;
    }
}

/* A file that can only be written is read through another descriptor. */
static void power_append_old(int fd, int64_t at, uint64_t len)
{
    char link[32];
    int other;

    if (!len)
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if ((other = open(link, O_RDONLY | O_CLOEXEC)) < 0)
        abort();
    power_append_file(other, at, len);
    close(other);
}

static uint64_t power_overlap(const struct stat *st, int64_t at, uint64_t len)
{
    uint64_t rest = at < st->st_size ? (uint64_t)(st->st_size - at) : 0;

    return rest < len ? rest : len;
}

bool power_write_begins(int fd, const void *data, size_t len, off_t at)
{
    struct power_entry e = {.kind = POWER_WRITE, .new_len = (uint32_t)len};
    struct stat st;

    if (journal < 0 || !power_is_data(fd, &st))
        return false;
    pthread_mutex_lock(&lock);
    fstat(fd, &st);
    e.inode = st.st_ino;
    e.at = at >= 0 ? at : lseek(fd, 0, SEEK_CUR);
    e.size = st.st_size;
    e.old_len = power_overlap(&st, e.at, len);
    power_append(&e, sizeof e);
    power_append_old(fd, e.at, e.old_len);
    power_append(data, len);
    return true;
}

bool power_cut_begins(int fd, off_t size)
{
    struct power_entry e = {.kind = POWER_CUT, .at = size};
    struct stat st;

    if (journal < 0 || !power_is_data(fd, &st))
        return false;
    pthread_mutex_lock(&lock);
    fstat(fd, &st);
    e.inode = st.st_ino;
    e.size = st.st_size;
    e.old_len = power_overlap(&st, size, UINT64_MAX);
    power_append(&e, sizeof e);
    power_append_old(fd, size, e.old_len);
    return true;
}

bool power_name_begins(const char *from, const char *to)
{
    struct power_entry e = {.kind = POWER_NAME, .old_len = from ? strlen(from) : 0, .new_len = (uint32_t)strlen(to)};
    char folder[4096];
    struct stat st;

    if (journal < 0 || !strstr(to, "/data/"))
        return false;
    snprintf(folder, sizeof folder, "%s", to);
    *strrchr(folder, '/') = 0;
    if (stat(folder, &st) < 0)
        return false;
    pthread_mutex_lock(&lock);
    e.inode = st.st_ino;
    power_append(&e, sizeof e);
    power_append(from ? from : "", e.old_len);
    power_append(to, e.new_len);
    return true;
}

void power_ends(bool begun)
{
    if (begun)
        pthread_mutex_unlock(&lock);
}

uint64_t power_sync_begins(void)
{
    uint64_t place;

    if (journal < 0)
        return 0;
    pthread_mutex_lock(&lock);
    place = length;
    pthread_mutex_unlock(&lock);
    return place;
}

static void power_append_sync(int fd, enum power_kind kind, uint64_t place)
{
    struct power_entry e = {.kind = kind, .place = place};
    struct stat st;

    if (journal < 0)
        return;
    pthread_mutex_lock(&lock);
    if (power_is_data(fd, &st)) {
        e.inode = st.st_ino;
        power_append(&e, sizeof e);
    }
    pthread_mutex_unlock(&lock);
}

void power_synced(int fd, uint64_t place)
{
    power_append_sync(fd, POWER_SYNC, place);
}

void power_sync_failed(int fd)
{
    power_append_sync(fd, POWER_SYNC_FAILED, power_sync_begins());
}
