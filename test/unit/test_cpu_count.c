/* The default number of workers, with files of control groups in a folder of the test. */
#include "plugins/shared/cpu_count.h"
#include "test/unit/test.h"

#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CPUS = 16, FILES_MAX = 6 };

struct count_case {
    const char *cgroup; /* /proc/self/cgroup; NULL: none */
    const char *files[FILES_MAX][2];
    uint32_t expected;
};

static const struct count_case cases[] = {
    {NULL, {{0}}, 16},
    {"0::/\n", {{0}}, 16},
    {"0::/\n", {{"cpu.max", "max 100000\n"}}, 16},
    {"0::/\n", {{"cpu.max", "200000 100000\n"}}, 2},
    {"0::/\n", {{"cpu.max", "350000 100000\n"}}, 3},
    {"0::/\n", {{"cpu.max", "50000 100000\n"}}, 1},
    {"0::/\n", {{"cpu.max", "6400000 100000\n"}}, 16}, /* more than there are */
    {"0::/a/b\n", {{"a/b/cpu.max", "max 100000\n"}, {"a/cpu.max", "400000 100000\n"}}, 4},
    {"0::/a/b\n", {{"a/b/cpu.max", "300000 100000\n"}, {"a/cpu.max", "400000 100000\n"}}, 3},
    {"0::/host/path\n", {{"cpu.max", "200000 100000\n"}}, 2}, /* the path of the host, in a container */
    {"0::/\n", {{"cpu.max", "nonsense\n"}}, 16},
    {"0::/\n", {{"cpu.max", "100000 0\n"}}, 16},
    {"4:memory:/m\n3:cpu,cpuacct:/a\n0::/\n",
     {{"cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n"}, {"cpu,cpuacct/a/cpu.cfs_period_us", "50000\n"}},
     5},
    {"1:cpu:/\n", {{"cpu/cpu.cfs_quota_us", "-1\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}}, 16},
    {"1:cpu:/\n", {{"cpu/cpu.cfs_quota_us", "700000\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}}, 7},
    {"1:cpuset:/\n", {{"cpu/cpu.cfs_quota_us", "700000\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}}, 16},
    {"broken", {{"cpu.max", "200000 100000\n"}}, 16},
};

static void write_file(const char *root, const char *below, const char *name, const char *text)
{
    char path[PATH_MAX];
    FILE *file;

    snprintf(path, sizeof path, "%s%s/%s", root, below, name);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0755);
        *slash = '/';
    }
    assert_non_null(file = fopen(path, "w"));
    fputs(text, file);
    fclose(file);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void test_the_quota_of_the_control_group_limits_the_workers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char root[] = "/tmp/kith-cpus-XXXXXX";

        assert_non_null(mkdtemp(root));
        if (cases[i].cgroup)
            write_file(root, "/proc/self", "cgroup", cases[i].cgroup);
        for (int f = 0; f < FILES_MAX && cases[i].files[f][0]; f++)
            write_file(root, "/sys/fs/cgroup", cases[i].files[f][0], cases[i].files[f][1]);
        assert_int_equal(cpu_count_by_quota(CPUS, root), cases[i].expected);
        nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

static void test_the_affinity_mask_limits_the_workers(void **state)
{
    cpu_set_t all, one;
    size_t first = 0;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_in_range(cpu_count(), 1, (uint32_t)CPU_COUNT(&all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_quota_of_the_control_group_limits_the_workers),
        cmocka_unit_test(test_the_affinity_mask_limits_the_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
