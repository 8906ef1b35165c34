/* What limits the files of a worker: Landlock, and what stands in where the kernel has none. Each case runs in a child
 * process; a seccomp filter there hides what the kernel of the test machine has. */
#include "plugins/worker/sandbox.h"
#include "plugins/worker/sandbox_files.h"
#include "test/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SKIPPED = 77 };

static char folder[] = "/var/tmp/kith-sandbox-XXXXXX", listed[PATH_MAX], below[PATH_MAX], other[PATH_MAX];

static void hide(int call)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), call, 0) != 0 || seccomp_load(filter) != 0)
        _exit(SKIPPED);
    seccomp_release(filter);
}

static bool can_read(const char *path)
{
    int fd = open(path, O_RDONLY);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool can_reach_parent(void)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/mem", getppid());
    return can_read(path);
}

/* Runs in the child: the exit code. */
static int restrict_and_try(enum sandbox_files expected)
{
    const char *const paths[] = {listed, "/proc", "/does/not/exist", NULL};
    enum sandbox_files held;

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* the kernel asks for it, as sandbox_enter() does */
    held = sandbox_files_restrict(paths);
    if (held != expected)
        return held == SANDBOX_FILES_NONE ? SKIPPED : 10 + (int)held;
    if (!can_read(below))
        return 1;
    if (can_read(other))
        return 2;
    return can_reach_parent() ? 3 : 0;
}

static void check(enum sandbox_files expected, int hidden, int hidden_too)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        if (hidden)
            hide(hidden);
        if (hidden_too)
            hide(hidden_too);
        _exit(restrict_and_try(expected));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_landlock_opens_only_listed_files(void **state)
{
    (void)state;
    check(SANDBOX_FILES_LANDLOCK, 0, 0);
}

static void test_a_namespace_holds_where_there_is_no_landlock(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__ /* its runtime has a thread: such a process cannot enter a user namespace */
    skip();
#endif
    check(SANDBOX_FILES_NAMESPACE, SYS_landlock_create_ruleset, 0);
}

static void test_root_becomes_nobody_where_there_is_neither(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    check(SANDBOX_FILES_USER, SYS_landlock_create_ruleset, SYS_unshare);
}

static void test_a_process_whose_parent_is_another_is_refused(void **state)
{
    pid_t child = fork();
    int status = 0;

    (void)state;
    if (child == 0) {
        const char *const none[] = {NULL};
        enum sandbox_files held;
        struct error error;

        _exit(sandbox_enter(&(struct sandbox_options){.parent = 1U << 30, .files = none}, &held, &error) == -ESRCH ? 0
                                                                                                                   : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void write_file(char *path, const char *name, mode_t mode)
{
    int fd;

    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT, mode);
    assert_true(fd >= 0);
    close(fd);
}

/* A folder that everybody may read, a file in it, and a file beside it that only its owner may read. */
static int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(folder) || chmod(folder, 0755) < 0)
        return -1;
    snprintf(listed, sizeof listed, "%s/listed", folder);
    if (mkdir(listed, 0755) < 0)
        return -1;
    write_file(below, "listed/below", 0644);
    write_file(other, "other", 0600);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(other);
    unlink(below);
    rmdir(listed);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_landlock_opens_only_listed_files),
        cmocka_unit_test(test_a_namespace_holds_where_there_is_no_landlock),
        cmocka_unit_test(test_root_becomes_nobody_where_there_is_neither),
        cmocka_unit_test(test_a_process_whose_parent_is_another_is_refused),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
