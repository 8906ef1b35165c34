/* A disk or network file system that fails, by LD_PRELOAD. FAILING_DISK is a file of one line, "CALL ERRNO": while it
 * is there, CALL (open, stat or read) fails with that number for each file whose name holds "on a bad disk". */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT           __attribute__((visibility("default")))
#define NEXT(name, type) ((type *)dlsym(RTLD_NEXT, name))

typedef ssize_t pread_fn(int fd, void *data, size_t len, off_t at);
typedef ssize_t read_fn(int fd, void *data, size_t len);
typedef int fstatat_fn(int fd, const char *path, struct stat *st, int flags);
typedef long syscall_fn(long number, ...);

static int failing_disk_fails(const char *call, const char *path)
{
    const char *control = getenv("FAILING_DISK");
    char wanted[16];
    int code = 0, found;
    FILE *file;

    if (!control || !strstr(path, "on a bad disk") || !(file = fopen(control, "re")))
        return 0;
    found = fscanf(file, "%15s %d", wanted, &code);
    fclose(file);
    if (found != 2 || strcmp(wanted, call) != 0)
        return 0;
    errno = code;
    return 1;
}

static int failing_disk_fails_fd(int fd)
{
    char link[32], path[4096] = "";

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof path - 1) > 0 && failing_disk_fails("read", path);
}

EXPORT ssize_t pread64(int fd, void *data, size_t len, off_t at)
{
    return failing_disk_fails_fd(fd) ? -1 : NEXT("pread64", pread_fn)(fd, data, len, at);
}

EXPORT ssize_t pread(int fd, void *data, size_t len, off_t at)
{
    return failing_disk_fails_fd(fd) ? -1 : NEXT("pread", pread_fn)(fd, data, len, at);
}

EXPORT ssize_t read(int fd, void *data, size_t len)
{
    return failing_disk_fails_fd(fd) ? -1 : NEXT("read", read_fn)(fd, data, len);
}

EXPORT int fstatat(int fd, const char *path, struct stat *st, int flags)
{
    return failing_disk_fails("stat", path) ? -1 : NEXT("fstatat", fstatat_fn)(fd, path, st, flags);
}

EXPORT long syscall(long number, ...)
{
    long a[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_openat2 && failing_disk_fails("open", (const char *)a[1]))
        return -1;
    return NEXT("syscall", syscall_fn)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
