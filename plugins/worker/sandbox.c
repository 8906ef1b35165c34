/* Two seccomp filters. The first is loaded before the plug-in and denies network and exec; the second is loaded after
 * it and allows only the system calls that computation needs. Denied calls fail with EPERM. */
#include "plugins/worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const int outward[] = {SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind)};

static const int forbidden[] = {SCMP_SYS(listen),
                                SCMP_SYS(accept),
                                SCMP_SYS(accept4),
                                SCMP_SYS(execve),
                                SCMP_SYS(execveat),
                                SCMP_SYS(fork),
                                SCMP_SYS(vfork),
                                SCMP_SYS(ptrace),
                                SCMP_SYS(process_vm_readv),
                                SCMP_SYS(process_vm_writev),
                                SCMP_SYS(pidfd_getfd),
                                SCMP_SYS(pidfd_open),
                                SCMP_SYS(pidfd_send_signal),
                                SCMP_SYS(kill),
                                SCMP_SYS(tkill),
                                SCMP_SYS(rt_sigqueueinfo),
                                SCMP_SYS(mount),
                                SCMP_SYS(umount2),
                                SCMP_SYS(unshare),
                                SCMP_SYS(setns),
                                SCMP_SYS(chroot),
                                SCMP_SYS(pivot_root),
                                SCMP_SYS(bpf),
                                SCMP_SYS(perf_event_open),
                                SCMP_SYS(keyctl),
                                SCMP_SYS(add_key),
                                SCMP_SYS(request_key),
                                SCMP_SYS(userfaultfd),
                                SCMP_SYS(io_uring_setup),
                                SCMP_SYS(io_uring_enter),
                                SCMP_SYS(io_uring_register),
                                SCMP_SYS(init_module),
                                SCMP_SYS(finit_module),
                                SCMP_SYS(kexec_load),
                                SCMP_SYS(reboot),
                                SCMP_SYS(setuid),
                                SCMP_SYS(setgid),
                                SCMP_SYS(open_by_handle_at),
                                SCMP_SYS(unlink),
                                SCMP_SYS(unlinkat),
                                SCMP_SYS(rename),
                                SCMP_SYS(renameat),
                                SCMP_SYS(renameat2),
                                SCMP_SYS(mkdir),
                                SCMP_SYS(mkdirat),
                                SCMP_SYS(link),
                                SCMP_SYS(linkat),
                                SCMP_SYS(symlink),
                                SCMP_SYS(symlinkat),
                                SCMP_SYS(chmod),
                                SCMP_SYS(fchmod),
                                SCMP_SYS(fchmodat),
                                SCMP_SYS(chown),
                                SCMP_SYS(fchown),
                                SCMP_SYS(fchownat),
                                SCMP_SYS(truncate),
                                SCMP_SYS(ftruncate),
                                SCMP_SYS(mknod),
                                SCMP_SYS(mknodat)};

static const int computing[] = {SCMP_SYS(read),
                                SCMP_SYS(pread64),
                                SCMP_SYS(readv),
                                SCMP_SYS(write),
                                SCMP_SYS(writev),
                                SCMP_SYS(lseek),
                                SCMP_SYS(fstat),
                                SCMP_SYS(newfstatat),
                                SCMP_SYS(close),
                                SCMP_SYS(dup),
                                SCMP_SYS(fcntl),
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
                                SCMP_SYS(clone),
                                SCMP_SYS(set_robust_list),
                                SCMP_SYS(rseq),
                                SCMP_SYS(set_tid_address),
                                SCMP_SYS(sched_yield),
                                SCMP_SYS(sched_getaffinity),
                                SCMP_SYS(sched_setaffinity),
                                SCMP_SYS(getpid),
                                SCMP_SYS(gettid),
                                SCMP_SYS(tgkill),
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
                                SCMP_SYS(prlimit64),
                                SCMP_SYS(setrlimit),
                                SCMP_SYS(getrlimit),
                                SCMP_SYS(sysinfo),
                                SCMP_SYS(uname),
                                SCMP_SYS(getcpu),
                                SCMP_SYS(restart_syscall),
                                SCMP_SYS(membarrier),
                                SCMP_SYS(exit),
                                SCMP_SYS(exit_group)};

static const int talking[] = {SCMP_SYS(socket),
                              SCMP_SYS(socketpair),
                              SCMP_SYS(connect),
                              SCMP_SYS(bind),
                              SCMP_SYS(shutdown),
                              SCMP_SYS(getsockname),
                              SCMP_SYS(getpeername),
                              SCMP_SYS(getsockopt),
                              SCMP_SYS(setsockopt),
                              SCMP_SYS(sendmmsg),
                              SCMP_SYS(recvmmsg),
                              SCMP_SYS(ioctl),
                              SCMP_SYS(select),
                              SCMP_SYS(pselect6),
                              SCMP_SYS(epoll_create),
                              SCMP_SYS(epoll_create1),
                              SCMP_SYS(epoll_ctl),
                              SCMP_SYS(epoll_wait),
                              SCMP_SYS(epoll_pwait),
                              SCMP_SYS(eventfd2),
                              SCMP_SYS(pipe),
                              SCMP_SYS(pipe2),
                              SCMP_SYS(dup3),
                              SCMP_SYS(timerfd_create),
                              SCMP_SYS(timerfd_settime),
                              SCMP_SYS(stat),
                              SCMP_SYS(lstat),
                              SCMP_SYS(access),
                              SCMP_SYS(faccessat),
                              SCMP_SYS(readlink),
                              SCMP_SYS(getcwd),
                              SCMP_SYS(getuid),
                              SCMP_SYS(geteuid),
                              SCMP_SYS(getgid),
                              SCMP_SYS(getegid),
                              SCMP_SYS(prctl),
                              SCMP_SYS(getdents64)};

static int load_filter(scmp_filter_ctx filter, int result, const char *which, struct error *error)
{
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result == 0 ? 0
                       : error_set(error, result, "cannot load the %s seccomp filter: %s", which, strerror(-result));
}

/* Allows threads, denies processes. A filter cannot read the flags of clone3: ENOSYS makes libc fall back to clone. */
static int only_threads(scmp_filter_ctx filter)
{
    int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    return result;
}

static int forbid(bool network, struct error *error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = filter ? only_threads(filter) : -ENOMEM;

    for (size_t i = 0; i < sizeof outward / sizeof outward[0] && result == 0 && !network; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), outward[i], 0);
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0] && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), forbidden[i], 0);
    return load_filter(filter, result, "first", error);
}

static void limit(int what, rlim_t value)
{
    struct rlimit l = {value, value};

    setrlimit((__rlimit_resource_t)what, &l);
}

int sandbox_enter(uint64_t max_memory, uint32_t parent, bool network, struct error *error)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set(error, -errno, "prctl: %s", strerror(errno));
    if ((uint32_t)getppid() != parent) /* it ended before PR_SET_PDEATHSIG took effect */
        return error_set(error, -ESRCH, "the parent is gone");
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 64);
#ifndef KITH_SANITIZED /* sanitizers reserve terabytes of addresses and write reports to files */
    if (max_memory)
        limit(RLIMIT_AS, max_memory);
    limit(RLIMIT_FSIZE, 0);
    prctl(PR_SET_DUMPABLE, 0);
#else
    (void)max_memory;
#endif
    signal(SIGXFSZ, SIG_IGN);        /* RLIMIT_FSIZE: a write to a log file fails instead */
    setpriority(PRIO_PROCESS, 0, 5); /* requests have priority over recognition */
    return forbid(network, error);
}

/* Denies opening a file with flags that create or write. */
static int allow_talking(scmp_filter_ctx filter)
{
    const scmp_datum_t writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
    int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, writing, 0));

    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, writing, 0));
    for (size_t i = 0; i < sizeof talking / sizeof talking[0] && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, talking[i], 0);
    return result;
}

int sandbox_close(bool network, struct error *error)
{
#ifdef KITH_SANITIZED /* sanitizer runtimes read /proc when they report */
    (void)error;
    (void)network;
    (void)computing;
    (void)allow_talking;
    return 0;
#else
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int result = filter ? seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) : -ENOMEM;

    for (size_t i = 0; i < sizeof computing / sizeof computing[0] && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, computing[i], 0);
    if (result == 0 && network)
        result = allow_talking(filter);
    return load_filter(filter, result, "second", error);
#endif
}

void sandbox_allow_cpu(uint32_t seconds)
{
    struct timespec used;
    struct rlimit l;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    getrlimit(RLIMIT_CPU, &l);
    l.rlim_cur = (rlim_t)used.tv_sec + seconds + 1;
    setrlimit(RLIMIT_CPU, &l);
}
