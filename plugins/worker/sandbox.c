#include "plugins/worker/sandbox.h"

#include "plugins/worker/sandbox_files.h"
#include "plugins/worker/sandbox_filter.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DESCRIPTORS_MAX = 64, NICENESS = 5 };

static void sandbox_set_limit(int what, rlim_t value)
{
    struct rlimit l = {value, value};

    setrlimit((__rlimit_resource_t)what, &l);
}

static void sandbox_set_limits(uint64_t max_memory)
{
    sandbox_set_limit(RLIMIT_CORE, 0);
    sandbox_set_limit(RLIMIT_NOFILE, DESCRIPTORS_MAX);
#ifndef KITH_SANITIZED /* sanitizers reserve terabytes of addresses and write reports to files */
    if (max_memory)
        sandbox_set_limit(RLIMIT_AS, max_memory);
    sandbox_set_limit(RLIMIT_FSIZE, 0);
    prctl(PR_SET_DUMPABLE, 0);
#else
    (void)max_memory;
#endif
    signal(SIGXFSZ, SIG_IGN);               /* RLIMIT_FSIZE: a write to a file fails instead */
    setpriority(PRIO_PROCESS, 0, NICENESS); /* requests have priority over recognition */
}

/* Keeps at most the right to read files of other users. A worker without the capabilities of its parent also fails the
 * kernel's check of ptrace(2) and of /proc/PARENT/mem. */
static int sandbox_drop_capabilities(bool may_read, struct error *error)
{
    const uint32_t kept = may_read && geteuid() == 0 ? 1U << CAP_DAC_READ_SEARCH : 0;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{.effective = kept, .permitted = kept}};

    if (syscall(SYS_capset, &header, sets) == 0)
        return 0;
    sets[0] = (struct __user_cap_data_struct){0}; /* a container may have taken it already */
    if (syscall(SYS_capset, &header, sets) == 0)
        return 0;
    return error_set(error, -errno, "cannot drop the worker's capabilities: %s", strerror(errno));
}

int sandbox_enter(const struct sandbox_options *options, enum sandbox_files *held, struct error *error)
{
    int result;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set(error, -errno, "prctl: %s", strerror(errno));
    *held = sandbox_files_restrict(options->files);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) /* after a change of user, which clears it */
        return error_set(error, -errno, "prctl: %s", strerror(errno));
    if ((uint32_t)getppid() != options->parent) /* it ended before PR_SET_PDEATHSIG took effect */
        return error_set(error, -ESRCH, "the parent is gone");
    sandbox_set_limits(options->max_memory);
    result = sandbox_drop_capabilities(*held == SANDBOX_FILES_LANDLOCK, error);
    return result < 0 ? result : sandbox_filter_load(FILTER_LOADING, options->network, error);
}

int sandbox_close(bool network, struct error *error)
{
    int result = sandbox_drop_capabilities(false, error);

    return result < 0 ? result : sandbox_filter_load(FILTER_COMPUTING, network, error);
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
