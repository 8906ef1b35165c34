/* A recogniser that tries to leave its sandbox, while it loads and at each picture, on the thread that called it and on
 * one that it started while it loaded. No attempt changes anything where it gets through.
 *
 * The first pixel of a picture selects the report: red 0 loading, 1 picture; green 0 the calling thread, 1 the other;
 * blue the part of 256 characters. The reason of the failed image names the attempts that got
 * through: " name name …"; "-": nothing, or no such part.
 */
#include "plugins/recognizer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PART = 256 };

static char database[PATH_MAX], images[PATH_MAX];

static bool done(long result)
{
    return result >= 0;
}

/* For calls with arguments that the kernel refuses after the filter. */
static bool reached(long result)
{
    return result >= 0 || (errno != EPERM && errno != ENOSYS && errno != EACCES);
}

static bool opens(const char *path, int flags)
{
    int fd = open(path, flags, 0600);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool opens_parent(const char *name, int flags)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", getppid(), name);
    return opens(path, flags);
}

static bool closes(long fd)
{
    return fd >= 0 && close((int)fd) == 0;
}

static bool forks(long pid)
{
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        waitpid((pid_t)pid, NULL, 0);
    return pid > 0;
}

static bool sets_limit(void)
{
    struct rlimit l;

    return done(syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, NULL, &l)) &&
           done(syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, &l, NULL));
}

static bool sets_affinity(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(0, &set);
    return sched_getaffinity(getppid(), sizeof set, &set) == 0 ||
           (sched_setaffinity(getppid(), sizeof set, &set) == 0 || errno == EINVAL);
}

static bool owns(int command, long argument)
{
    int pair[2];
    bool ok = false;

    if (pipe(pair) < 0)
        return fcntl(2, command, argument) >= 0;
    ok = fcntl(pair[0], command, argument) >= 0;
    close(pair[0]);
    close(pair[1]);
    return ok;
}

static bool sends_signal(long call, bool with_thread)
{
    siginfo_t info = {.si_code = SI_QUEUE};
    long parent = getppid();

    return with_thread ? done(syscall(call, parent, parent, 0, &info)) : done(syscall(call, parent, 0, &info));
}

static bool reads_memory(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)&byte, 1};

    return reached(syscall(SYS_process_vm_readv, getppid(), &here, 1, &there, 1, 0));
}

static bool lists(const char *folder)
{
    char entries[1024];
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    bool ok = fd >= 0 && syscall(SYS_getdents64, fd, entries, sizeof entries) > 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

static bool stats(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

static bool raises_priority(void)
{
    return done(syscall(SYS_setpriority, PRIO_PROCESS, getppid(), 0));
}

static bool executes(void)
{
    char *arguments[] = {NULL};

    return reached(syscall(SYS_execve, "/nowhere", arguments, arguments));
}

static bool sets_clock(void)
{
    struct timespec wrong = {.tv_nsec = -1};

    return done(syscall(SYS_clock_settime, CLOCK_REALTIME, &wrong));
}

#define ATTEMPT(name, expression)                                                                                      \
    if (expression)                                                                                                    \
    add(text, size, name)

static void add(char *text, size_t size, const char *name)
{
    size_t len = strlen(text);

    snprintf(text + len, size - len, " %s", name);
}

static void try_processes(char *text, size_t size)
{
    ATTEMPT("kill", sends_signal(SYS_kill, false));
    ATTEMPT("tkill", sends_signal(SYS_tkill, false));
    ATTEMPT("tgkill", sends_signal(SYS_tgkill, true));
    ATTEMPT("sigqueue", sends_signal(SYS_rt_sigqueueinfo, false));
    ATTEMPT("tgsigqueue", sends_signal(SYS_rt_tgsigqueueinfo, true));
    ATTEMPT("pidfd", closes(syscall(SYS_pidfd_open, getppid(), 0)));
    ATTEMPT("setown", owns(F_SETOWN, getppid()));
    ATTEMPT("setsig", owns(F_SETSIG, SIGIO));
    ATTEMPT("async", owns(F_SETFL, O_ASYNC));
    ATTEMPT("lease", reached(fcntl(2, F_SETLEASE, F_UNLCK)));
    ATTEMPT("prlimit", sets_limit());
    ATTEMPT("affinity", sets_affinity());
    ATTEMPT("priority", raises_priority());
    ATTEMPT("scheduler", done(syscall(SYS_sched_getscheduler, getppid())));
    ATTEMPT("ioprio", done(syscall(SYS_ioprio_get, 1, getppid())));
    ATTEMPT("session", done(syscall(SYS_getsid, getppid())));
    ATTEMPT("vm_read", reads_memory());
    ATTEMPT("ptrace", reached(syscall(SYS_ptrace, 9999, getppid(), 0, 0)));
    ATTEMPT("mem", opens_parent("mem", O_RDONLY) || opens_parent("mem", O_RDWR));
    ATTEMPT("maps", opens_parent("maps", O_RDONLY));
    ATTEMPT("environ", opens_parent("environ", O_RDONLY));
    ATTEMPT("status", opens_parent("status", O_RDONLY));
    ATTEMPT("fd", lists("/proc/1/fd") || opens_parent("fd/0", O_RDONLY));
    ATTEMPT("fork", forks(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
    ATTEMPT("exec", executes());
    ATTEMPT("deathsig", done(prctl(PR_SET_PDEATHSIG, SIGKILL)));
}

static void try_files(char *text, size_t size)
{
    ATTEMPT("passwd", opens("/etc/passwd", O_RDONLY));
    ATTEMPT("database", opens(database, O_RDONLY) || opens(database, O_RDWR));
    ATTEMPT("images", lists(images));
    ATTEMPT("root", lists("/"));
    ATTEMPT("home", lists("/root") || lists("/home"));
    ATTEMPT("create", opens("/tmp/kith-was-here", O_WRONLY | O_CREAT));
    ATTEMPT("creat", closes(syscall(SYS_creat, "/tmp/kith-was-here", 0600)));
    ATTEMPT("tmpfile", opens("/tmp", O_TMPFILE | O_RDWR));
    ATTEMPT("write", opens("/dev/null", O_WRONLY) || opens("/dev/null", O_RDWR));
    ATTEMPT("mkdir", reached(mkdir("/tmp", 0700)));
    ATTEMPT("unlink", reached(unlink("/tmp/kith-nothing")));
    ATTEMPT("rename", reached(rename("/tmp/kith-nothing", "/tmp/kith-nobody")));
    ATTEMPT("link", reached(link("/tmp/kith-nothing", "/tmp/kith-nobody")));
    ATTEMPT("symlink", reached(symlink("x", "/tmp")));
    ATTEMPT("chmod", reached(chmod("/tmp/kith-nothing", 0700)));
    ATTEMPT("chmodat2", reached(syscall(452, AT_FDCWD, "/tmp/kith-nothing", 0700, 0)));
    ATTEMPT("chown", reached(chown("/tmp/kith-nothing", 0, 0)));
    ATTEMPT("utimes", reached(syscall(SYS_utimensat, AT_FDCWD, "/tmp/kith-nothing", NULL, 0)));
    ATTEMPT("xattr", reached(syscall(SYS_setxattr, "/tmp/kith-nothing", "user.x", "1", 1, 0)));
    ATTEMPT("truncate", reached(truncate("/tmp/kith-nothing", 0)));
    ATTEMPT("openat2", reached(syscall(SYS_openat2, AT_FDCWD, "/dev/null", NULL, 0)));
    ATTEMPT("handle", reached(syscall(SYS_name_to_handle_at, AT_FDCWD, "/", NULL, NULL, 0)));
    ATTEMPT("chdir", done(chdir(".")));
    ATTEMPT("stat", stats(database));
    ATTEMPT("read", opens("/dev/null", O_RDONLY)); /* in the list of files: allowed while it loads */
}

static void try_kernel(char *text, size_t size)
{
    ATTEMPT("inet", closes(socket(AF_INET, SOCK_STREAM, 0)));
    ATTEMPT("unix", closes(socket(AF_UNIX, SOCK_STREAM, 0)));
    ATTEMPT("netlink", closes(socket(AF_NETLINK, SOCK_RAW, 0)));
    ATTEMPT("memfd", closes(syscall(SYS_memfd_create, "x", 0)));
    ATTEMPT("shm", reached(syscall(SYS_shmget, 0x6b69, 0, 0)));
    ATTEMPT("mqueue", reached(syscall(SYS_mq_unlink, "kith-nothing")));
    ATTEMPT("key", reached(syscall(SYS_keyctl, 9999, 0, 0, 0, 0)));
    ATTEMPT("bpf", reached(syscall(SYS_bpf, 9999, NULL, 0)));
    ATTEMPT("uring", reached(syscall(SYS_io_uring_setup, 0, NULL)));
    ATTEMPT("userfault", closes(syscall(SYS_userfaultfd, 0)));
    ATTEMPT("inotify", closes(syscall(SYS_inotify_init1, 0)));
    ATTEMPT("mount", reached(syscall(SYS_mount, NULL, "/nowhere", NULL, 0, NULL)));
    ATTEMPT("unshare", done(syscall(SYS_unshare, 0)));
    ATTEMPT("chroot", reached(syscall(SYS_chroot, "/nowhere")));
    ATTEMPT("setuid", done(syscall(SYS_setresuid, -1, -1, -1)));
    ATTEMPT("clock", sets_clock() || errno == EINVAL);
    ATTEMPT("personality", done(syscall(SYS_personality, 0xffffffff)));
    ATTEMPT("umask", done(syscall(SYS_umask, 022)));
    ATTEMPT("capget", reached(syscall(SYS_capget, NULL, NULL)));
}

static void try_all(char *text, size_t size)
{
    text[0] = 0;
    try_processes(text, size);
    try_files(text, size);
    try_kernel(text, size);
}

struct hostile {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool wanted, ended;
    char loading[2][4096], picture[2][4096];
};

/* Tries once while the plug-in loads, and at each request after that. */
static void *hostile_thread(void *arg)
{
    struct hostile *me = arg;

    try_all(me->loading[1], sizeof me->loading[1]);
    pthread_mutex_lock(&me->lock);
    for (;;) {
        me->wanted = false;
        pthread_cond_broadcast(&me->wake);
        while (!me->wanted && !me->ended)
            pthread_cond_wait(&me->wake, &me->lock);
        if (me->ended)
            break;
        try_all(me->picture[1], sizeof me->picture[1]);
    }
    pthread_mutex_unlock(&me->lock);
    return NULL;
}

static void hostile_ask_thread(struct hostile *me)
{
    pthread_mutex_lock(&me->lock);
    me->wanted = true;
    pthread_cond_broadcast(&me->wake);
    while (me->wanted)
        pthread_cond_wait(&me->wake, &me->lock);
    pthread_mutex_unlock(&me->lock);
}

static void *hostile_open(const struct kith_settings *settings, char *error, size_t error_size)
{
    struct hostile *me = calloc(1, sizeof *me);

    (void)error;
    (void)error_size;
    for (const struct kith_setting *s = settings->list; s->name; s++) {
        if (strcmp(s->name, "data") == 0)
            snprintf(database, sizeof database, "%s/kith.db", s->value);
        if (strcmp(s->name, "image_roots") == 0)
            snprintf(images, sizeof images, "%s", s->value);
    }
    if (!me)
        abort();
    try_all(me->loading[0], sizeof me->loading[0]);
    pthread_mutex_init(&me->lock, NULL);
    pthread_cond_init(&me->wake, NULL);
    me->wanted = true;
    if (pthread_create(&me->thread, NULL, hostile_thread, me) != 0)
        abort();
    pthread_mutex_lock(&me->lock);
    while (me->wanted)
        pthread_cond_wait(&me->wake, &me->lock);
    pthread_mutex_unlock(&me->lock);
    return me;
}

static int hostile_health(void *self, char *error, size_t error_size)
{
    (void)self;
    (void)error;
    (void)error_size;
    return KITH_OK;
}

static int hostile_recognize(void *self, const struct kith_image *image, struct kith_result *result, char *error,
                             size_t error_size)
{
    struct hostile *me = self;
    const char *text;
    size_t from = (size_t)image->rgb[2] * PART;

    result->face_count = 0;
    if (image->rgb[0] > 1 || image->rgb[1] > 1)
        return KITH_OK;
    if (image->rgb[0] == 1) {
        try_all(me->picture[0], sizeof me->picture[0]);
        hostile_ask_thread(me);
    }
    text = image->rgb[0] ? me->picture[image->rgb[1]] : me->loading[image->rgb[1]];
    snprintf(error, error_size < PART + 1 ? error_size : PART + 1, "%s", strlen(text) > from ? text + from : "");
    if (!error[0])
        snprintf(error, error_size, "-");
    return KITH_BAD_IMAGE;
}

static void hostile_close(void *self)
{
    struct hostile *me = self;

    if (!me)
        return;
    pthread_mutex_lock(&me->lock);
    me->ended = true;
    pthread_cond_broadcast(&me->wake);
    pthread_mutex_unlock(&me->lock);
    pthread_join(me->thread, NULL);
    free(me);
}

static const struct kith_recognizer descriptor = {
    .magic = KITH_RECOGNIZER_MAGIC,
    .abi = KITH_RECOGNIZER_ABI,
    .size = sizeof(struct kith_recognizer),
    .needs = KITH_NEEDS_PIXELS,
    .name = "hostile",
    .version = "1",
    .model_id = "hostile",
    .metric = KITH_METRIC_L2,
    .dimension = 3,
    .threshold = 5,
    .open = hostile_open,
    .health = hostile_health,
    .recognize = hostile_recognize,
    .close = hostile_close,
};

const struct kith_recognizer *kith_recognizer_get(void)
{
    return &descriptor;
}
