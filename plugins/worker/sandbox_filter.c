#include "plugins/worker/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* They reach nothing but memory, the clock, the own threads and open descriptors. */
static const int computing[] = {
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(lseek),
    SCMP_SYS(fstat),
    SCMP_SYS(close),
    SCMP_SYS(dup),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(sched_yield),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrusage),
    SCMP_SYS(setrlimit),
    SCMP_SYS(getrlimit),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(getcpu),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(membarrier),
    SCMP_SYS(pause),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* The dynamic linker, reading models, numeric libraries that ask for the machine's topology. seccomp: sandbox_close()
 * loads the second filter; capset: it drops the last capability. Both can only take rights away. */
static const int loading[] = {
    SCMP_SYS(stat),       SCMP_SYS(lstat),         SCMP_SYS(newfstatat),  SCMP_SYS(statx),      SCMP_SYS(access),
    SCMP_SYS(faccessat),  SCMP_SYS(faccessat2),    SCMP_SYS(readlink),    SCMP_SYS(readlinkat), SCMP_SYS(getcwd),
    SCMP_SYS(getdents64), SCMP_SYS(statfs),        SCMP_SYS(fstatfs),     SCMP_SYS(fadvise64),  SCMP_SYS(preadv),
    SCMP_SYS(mincore),    SCMP_SYS(get_mempolicy), SCMP_SYS(getuid),      SCMP_SYS(geteuid),    SCMP_SYS(getgid),
    SCMP_SYS(getegid),    SCMP_SYS(getppid),       SCMP_SYS(times),       SCMP_SYS(arch_prctl), SCMP_SYS(dup2),
    SCMP_SYS(dup3),       SCMP_SYS(pipe),          SCMP_SYS(pipe2),       SCMP_SYS(eventfd2),   SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),  SCMP_SYS(epoll_wait),    SCMP_SYS(epoll_pwait), SCMP_SYS(seccomp),    SCMP_SYS(capset),
};

static const int networking[] = {
    SCMP_SYS(connect),         SCMP_SYS(bind),       SCMP_SYS(shutdown),   SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),     SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmmsg),        SCMP_SYS(select),     SCMP_SYS(pselect6),   SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* An allowed value of one argument of a system call. */
struct filter_value {
    int call;
    unsigned argument;
    scmp_datum_t mask, value;
};

#define WHOLE (~(scmp_datum_t)0)
#define WRITING                                                                                                        \
    (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND) /* also covers O_TMPFILE, which needs one of the first two */
#define NAMESPACES                                                                                                     \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* Process 0 is the caller; signals and affinity only of the own process. F_SETFL without O_ASYNC: no owner gets a
 * signal. F_SETOWN, F_SETSIG, F_SETLEASE and locks are not in the list. */
static const struct filter_value computing_values[] = {
    {SCMP_SYS(clone), 0, CLONE_THREAD | NAMESPACES, CLONE_THREAD}, /* threads, no processes */
    {SCMP_SYS(prlimit64), 0, WHOLE, 0},
    {SCMP_SYS(sched_setaffinity), 0, WHOLE, 0},
    {SCMP_SYS(sched_getaffinity), 0, WHOLE, 0},
    {SCMP_SYS(fcntl), 1, WHOLE, F_DUPFD},
    {SCMP_SYS(fcntl), 1, WHOLE, F_DUPFD_CLOEXEC},
    {SCMP_SYS(fcntl), 1, WHOLE, F_GETFD},
    {SCMP_SYS(fcntl), 1, WHOLE, F_SETFD},
    {SCMP_SYS(fcntl), 1, WHOLE, F_GETFL},
    {SCMP_SYS(prctl), 0, WHOLE, PR_SET_NAME},
    {SCMP_SYS(prctl), 0, WHOLE, PR_GET_NAME},
    {SCMP_SYS(prctl), 0, WHOLE, PR_SET_VMA},
};

static const struct filter_value loading_values[] = {
    {SCMP_SYS(open), 1, WRITING, 0},
    {SCMP_SYS(openat), 2, WRITING, 0},
    {SCMP_SYS(sched_getscheduler), 0, WHOLE, 0},
    {SCMP_SYS(sched_getparam), 0, WHOLE, 0},
    {SCMP_SYS(ioctl), 1, WHOLE, FIONREAD},
    {SCMP_SYS(ioctl), 1, WHOLE, FIONBIO},
    {SCMP_SYS(prctl), 0, WHOLE, PR_SET_NO_NEW_PRIVS}, /* libseccomp */
};

/* No AF_UNIX: through the socket of a local daemon a plug-in could act with the rights of that daemon. */
static const struct filter_value networking_values[] = {
    {SCMP_SYS(socket), 0, WHOLE, AF_INET},
    {SCMP_SYS(socket), 0, WHOLE, AF_INET6},
};

static int filter_add_calls(scmp_filter_ctx filter, const int *calls, size_t count)
{
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    return result;
}

static int filter_add_values(scmp_filter_ctx filter, const struct filter_value *values, size_t count)
{
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, values[i].call, 1,
                                  SCMP_CMP(values[i].argument, SCMP_CMP_MASKED_EQ, values[i].mask, values[i].value));
    return result;
}

/* Rules that need the process id or two arguments. A filter cannot read the flags of clone3: ENOSYS makes libc fall
 * back to clone. */
static int filter_add_computing(scmp_filter_ctx filter)
{
    const scmp_datum_t self = (scmp_datum_t)getpid();
    int result = filter_add_calls(filter, computing, COUNT(computing));

    if (result == 0)
        result = filter_add_values(filter, computing_values, COUNT(computing_values));
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, self));
    if (result == 0) /* pthread_getattr_np(3) asks by thread id and takes ENOSYS, but no other error, for an answer */
        result =
            seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(sched_getaffinity), 1, SCMP_A0(SCMP_CMP_NE, 0));
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 2, SCMP_A1(SCMP_CMP_EQ, F_SETFL),
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, O_ASYNC, 0));
    return result;
}

static int filter_add_loading(scmp_filter_ctx filter)
{
    int result = filter_add_calls(filter, loading, COUNT(loading));

    return result ? result : filter_add_values(filter, loading_values, COUNT(loading_values));
}

static int filter_add_networking(scmp_filter_ctx filter)
{
    int result = filter_add_calls(filter, networking, COUNT(networking));

    if (result == 0)
        result = filter_add_values(filter, networking_values, COUNT(networking_values));
    if (result == 0) /* NETLINK_ROUTE, protocol 0: name resolution asks for the machine's own addresses */
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK),
                                  SCMP_A2(SCMP_CMP_EQ, 0));
    return result;
}

/* Sanitizer runtimes open files, read /proc and test addresses with pipes when they report. */
static bool filter_may_read(enum filter_phase phase, bool network)
{
#ifdef KITH_SANITIZED
    (void)phase;
    (void)network;
    return true;
#else
    return phase == FILTER_LOADING || network;
#endif
}

int sandbox_filter_load(enum filter_phase phase, bool network, struct error *error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int result = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;

    if (result == 0)
        result = filter_add_computing(filter);
    if (result == 0 && filter_may_read(phase, network))
        result = filter_add_loading(filter);
    if (result == 0 && network)
        result = filter_add_networking(filter);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result == 0 ? 0
                       : error_set(error, result, "cannot load the %s seccomp filter: %s",
                                   phase == FILTER_LOADING ? "first" : "second", strerror(-result));
}
