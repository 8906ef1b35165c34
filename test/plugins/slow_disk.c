/* A slow file system, by LD_PRELOAD: looking up a name that holds "slow" takes 200 ms. */
#include <dlfcn.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

typedef int fstatat_fn(int fd, const char *path, struct stat *st, int flags);

__attribute__((visibility("default"))) int fstatat(int fd, const char *path, struct stat *st, int flags)
{
    fstatat_fn *next = (fstatat_fn *)dlsym(RTLD_NEXT, "fstatat");

    if (strstr(path, "slow"))
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    return next(fd, path, st, flags);
}
