#include "plugins/worker/sandbox_landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights of each ABI version. Those above 2 are numbers: the headers of the build may be older than the kernel. */
#define RIGHTS_ABI_1           ((UINT64_C(1) << 13) - 1)
#define RIGHT_REFER            (UINT64_C(1) << 13)
#define RIGHT_TRUNCATE         (UINT64_C(1) << 14)
#define RIGHT_IOCTL_DEVICE     (UINT64_C(1) << 15)
#define SCOPE_ABSTRACT_SOCKETS UINT64_C(1)
#define SCOPE_SIGNALS          UINT64_C(2)

/* struct landlock_ruleset_attr of ABI 6; older kernels take a shorter one. */
struct landlock_rules {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};

static int landlock_create(long abi)
{
    struct landlock_rules rules = {.files = RIGHTS_ABI_1};
    size_t size = abi >= 6 ? sizeof rules : offsetof(struct landlock_rules, network);

    if (abi >= 2)
        rules.files |= RIGHT_REFER;
    if (abi >= 3)
        rules.files |= RIGHT_TRUNCATE;
    if (abi >= 5)
        rules.files |= RIGHT_IOCTL_DEVICE;
    if (abi >= 6)
        rules.scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
    return (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
}

/* A folder may be listed, a file may not: the kernel refuses that right for files. */
static bool landlock_allow(int rules, const char *path)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE};
    struct stat st;
    bool ok = true;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return true; /* it does not exist */
    if (fstat(rule.parent_fd, &st) == 0 && S_ISDIR(st.st_mode))
        rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
    ok = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    close(rule.parent_fd);
    return ok;
}

bool sandbox_landlock_enter(const char *const *paths)
{
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    int rules = abi >= 1 ? landlock_create(abi) : -1;
    bool ok = rules >= 0;

    for (; ok && *paths; paths++)
        ok = landlock_allow(rules, *paths);
    ok = ok && syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    if (rules >= 0)
        close(rules);
    return ok;
}
