/* Preloaded into `kith serve`: makes the n-th call of a kind fail once, or ends the process with SIGKILL there, and
 * records which calls of which kind there were; and sets the wall clock ahead or back. The test controls it by a file
 * that both map (test/fault/shim.py).
 *
 * Calls are told apart by what they are about: reads and writes of regular files (not of the log), writes to sockets,
 * syncs, renames, allocations, statements of SQLite and its COMMIT. Any thread. Other processes, such as workers, are
 * left alone. */
#include "test/fault/shim_power.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { ANY, ALLOCATE, READ, WRITE, SYNC, RENAME, SEND, STATEMENT, COMMIT, KINDS };
enum { TRACE_MAX = 2048 };

struct control {
    _Atomic uint32_t kind; /* that fails; ANY: every kind of system call */
    _Atomic uint32_t kill; /* instead of a failure */
    _Atomic int64_t left;  /* calls until then; 0: none */
    _Atomic uint64_t injected;
    _Atomic uint64_t calls[KINDS];
    _Atomic int64_t clock_ms; /* the wall clock is so much ahead */
    _Atomic uint32_t traced;
    char trace[TRACE_MAX]; /* in order; w: write of a file, f: sync of a file, d: of a folder, b: of the database,
                              r: rename, s: send */
};

static struct control *control;

__attribute__((constructor)) static void shim_start(void)
{
    const char *file = getenv("FAULT_CONTROL");
    char arguments[4096] = "";
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, arguments, sizeof arguments - 1);
    void *at;

    close(fd);
    if (!file || n <= 0 || strcmp(arguments + strlen(arguments) + 1, "serve") != 0)
        return;
    fd = open(file, O_RDWR | O_CLOEXEC);
    at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || at == MAP_FAILED)
        abort();
    close(fd);
    power_start(getenv("FAULT_JOURNAL"));
    control = at;
}

static bool shim_is_system_call(enum kind kind)
{
    return kind != ALLOCATE && kind != STATEMENT && kind != COMMIT;
}

/* Counts a call; whether it must fail. */
static bool shim_fails(enum kind kind)
{
    uint32_t wanted;

    if (!control)
        return false;
    atomic_fetch_add(&control->calls[kind], 1);
    wanted = atomic_load(&control->kind);
    if (atomic_load(&control->left) <= 0 || (wanted != kind && (wanted != ANY || !shim_is_system_call(kind))))
        return false;
    if (atomic_fetch_sub(&control->left, 1) != 1)
        return false;
    atomic_fetch_add(&control->injected, 1);
    if (atomic_load(&control->kill))
        kill(getpid(), SIGKILL);
    return true;
}

static bool shim_fail_with(enum kind kind, int code)
{
    if (!shim_fails(kind))
        return false;
    errno = code;
    return true;
}

static void shim_trace(char mark)
{
    uint32_t at = control ? atomic_fetch_add(&control->traced, 1) : TRACE_MAX;

    if (at < TRACE_MAX)
        control->trace[at] = mark;
}

static bool shim_is(int fd, mode_t type)
{
    struct stat s;
    int before = errno;
    bool is = control && fstat(fd, &s) == 0 && (s.st_mode & S_IFMT) == type;

    errno = before;
    return is;
}

static void *shim_real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found)
        abort();
    return found;
}

#define REAL(name) ((__typeof__(&(name)))shim_real(#name))

/* --- allocations: the allocator is reached by its own names, as dlsym(3) allocates --- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);

void *malloc(size_t size)
{
    return shim_fail_with(ALLOCATE, ENOMEM) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return shim_fail_with(ALLOCATE, ENOMEM) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return size && shim_fail_with(ALLOCATE, ENOMEM) ? NULL : __libc_realloc(p, size);
}

/* --- files --- */

static bool shim_read_fails(int fd)
{
    return shim_is(fd, S_IFREG) && shim_fail_with(READ, EIO);
}

/* The connection is gone with the failure, as after a reset by the network: its reader sees the end, too. */
static bool shim_connection_breaks(int fd)
{
    if (!shim_fails(SEND))
        return false;
    shutdown(fd, SHUT_RDWR);
    errno = ECONNRESET;
    return true;
}

static bool shim_write_fails(int fd)
{
    if (fd == STDERR_FILENO)
        return false;
    if (shim_is(fd, S_IFSOCK)) {
        shim_trace('s');
        return shim_connection_breaks(fd);
    }
    if (!shim_is(fd, S_IFREG))
        return false;
    shim_trace('w');
    return shim_fail_with(WRITE, ENOSPC);
}

ssize_t read(int fd, void *data, size_t len)
{
    return shim_read_fails(fd) ? -1 : REAL(read)(fd, data, len);
}

ssize_t pread(int fd, void *data, size_t len, off_t at)
{
    return shim_read_fails(fd) ? -1 : REAL(pread)(fd, data, len, at);
}

ssize_t pread64(int fd, void *data, size_t len, off64_t at)
{
    return shim_read_fails(fd) ? -1 : REAL(pread64)(fd, data, len, at);
}

ssize_t write(int fd, const void *data, size_t len)
{
    ssize_t n;
    bool begun;

    if (shim_write_fails(fd))
        return -1;
    begun = power_write_begins(fd, data, len, -1);
    n = REAL(write)(fd, data, len);
    power_ends(begun);
    return n;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    ssize_t n;
    bool begun;

    if (shim_write_fails(fd))
        return -1;
    begun = power_write_begins(fd, data, len, at);
    n = REAL(pwrite)(fd, data, len, at);
    power_ends(begun);
    return n;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    ssize_t n;
    bool begun;

    if (shim_write_fails(fd))
        return -1;
    begun = power_write_begins(fd, data, len, at);
    n = REAL(pwrite64)(fd, data, len, at);
    power_ends(begun);
    return n;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return shim_write_fails(fd) ? -1 : REAL(writev)(fd, parts, count);
}

/* Whether the file is the database or its write-ahead log, by its name. */
static bool shim_is_database(int fd)
{
    char link[32], path[4096] = "";
    const char *name;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) < 0)
        return false;
    name = strrchr(path, '/');
    return name && strncmp(name, "/kith.db", 8) == 0;
}

static bool shim_sync_fails(int fd)
{
    if (!control)
        return false;
    shim_trace(shim_is(fd, S_IFDIR) ? 'd' : shim_is_database(fd) ? 'b' : 'f');
    return shim_fail_with(SYNC, EIO);
}

static int shim_sync(int fd, int (*sync)(int fd))
{
    uint64_t place;
    int result;

    if (shim_sync_fails(fd)) {
        power_sync_failed(fd);
        errno = EIO;
        return -1;
    }
    place = power_sync_begins();
    result = sync(fd);
    power_synced(fd, place);
    return result;
}

int fsync(int fd)
{
    return shim_sync(fd, REAL(fsync));
}

int fdatasync(int fd)
{
    return shim_sync(fd, REAL(fdatasync));
}

int rename(const char *from, const char *to)
{
    int result;
    bool begun;

    shim_trace('r');
    if (shim_fail_with(RENAME, EIO))
        return -1;
    begun = power_name_begins(from, to);
    result = REAL(rename)(from, to);
    power_ends(begun);
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    bool begun = power_name_begins(NULL, path);
    int result;

    result = REAL(mkdir)(path, mode);
    power_ends(begun);
    return result;
}

int ftruncate64(int fd, off64_t size)
{
    bool begun = power_cut_begins(fd, size);
    int result;

    result = REAL(ftruncate64)(fd, size);
    power_ends(begun);
    return result;
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

/* --- the wall clock --- */

int clock_gettime(clockid_t clock, struct timespec *t)
{
    int result = REAL(clock_gettime)(clock, t);

    if (control && clock == CLOCK_REALTIME)
        t->tv_sec += atomic_load(&control->clock_ms) / 1000;
    return result;
}

/* --- sockets --- */

static bool shim_send_fails(int fd)
{
    if (!shim_is(fd, S_IFSOCK))
        return false;
    shim_trace('s');
    return shim_connection_breaks(fd);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    return shim_send_fails(fd) ? -1 : REAL(send)(fd, data, len, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    return shim_send_fails(fd) ? -1 : REAL(sendmsg)(fd, m, flags);
}

/* --- SQLite: a full disk, as it is found by the statement itself or by the COMMIT. The ends of transactions never
 * fail: kith must be able to roll back. --- */

struct sqlite3_stmt;
int sqlite3_step(struct sqlite3_stmt *s);
const char *sqlite3_sql(struct sqlite3_stmt *s);

enum { SHIM_SQLITE_FULL = 13 };

static bool shim_statement_fails(struct sqlite3_stmt *s)
{
    const char *sql = control ? REAL(sqlite3_sql)(s) : NULL;

    if (!sql || strncmp(sql, "ROLLBACK", 8) == 0 || strncmp(sql, "PRAGMA", 6) == 0)
        return false;
    return shim_fails(strcmp(sql, "COMMIT") == 0 ? COMMIT : STATEMENT);
}

int sqlite3_step(struct sqlite3_stmt *s)
{
    return shim_statement_fails(s) ? SHIM_SQLITE_FULL : REAL(sqlite3_step)(s);
}
