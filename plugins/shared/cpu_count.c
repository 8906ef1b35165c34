#include "plugins/shared/cpu_count.h"

#include "core/base/must.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CPUS_MAX = 8192 };

static bool cpu_count_read_line(const char *folder, const char *name, char *text, int size)
{
    char path[2 * PATH_MAX];
    FILE *file;
    bool ok;

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path || !(file = fopen(path, "re")))
        return false;
    ok = fgets(text, size, file) != NULL;
    fclose(file);
    return ok;
}

/* The quota of one group in CPUs; 0: none. */
static double cpu_count_read_quota(const char *folder, bool v2)
{
    char quota[64], period[64];
    double of = 0;

    if (v2) { /* "max 100000" or "150000 100000" */
        if (!cpu_count_read_line(folder, "cpu.max", quota, sizeof quota) || strchr(quota, ' ') == NULL)
            return 0;
        of = atof(strchr(quota, ' '));
    } else {
        if (!cpu_count_read_line(folder, "cpu.cfs_quota_us", quota, sizeof quota) ||
            !cpu_count_read_line(folder, "cpu.cfs_period_us", period, sizeof period))
            return 0;
        of = atof(period);
    }
    return of > 0 && atof(quota) > 0 ? atof(quota) / of : 0;
}

/* Lowers *quota to the least of the group `group` below `mount` and of the groups above it. A container may see a path
 * of the host, which does not exist below its own mount: what exists of it counts. */
static void cpu_count_lower_by_groups(const char *mount, char *group, bool v2, double *quota)
{
    char folder[2 * PATH_MAX];

    for (;;) {
        char *slash;
        double one;

        if (snprintf(folder, sizeof folder, "%s%s", mount, group) >= (int)sizeof folder)
            return;
        one = cpu_count_read_quota(folder, v2);
        if (one > 0 && (*quota == 0 || one < *quota))
            *quota = one;
        if (!(slash = strrchr(group, '/')))
            return;
        *slash = 0;
    }
}

static bool cpu_count_has_controller(const char *list, size_t len, const char *name)
{
    const size_t n = strlen(name);

    for (size_t at = 0; at + n <= len; at++)
        if (memcmp(list + at, name, n) == 0 && (at == 0 || list[at - 1] == ',') &&
            (at + n == len || list[at + n] == ','))
            return true;
    return false;
}

/* A line of /proc/self/cgroup: number, controllers, path, with colons between. Version 2 has no controllers. */
static void cpu_count_parse_line(const char *root, char *line, double *quota)
{
    char mount[PATH_MAX], *controllers = strchr(line, ':'), *group;
    size_t len;

    line[strcspn(line, "\n")] = 0;
    if (!controllers || !(group = strchr(++controllers, ':')))
        return;
    len = (size_t)(group++ - controllers);
    if (len == 0) {
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
        cpu_count_lower_by_groups(mount, group, true, quota);
    } else if (cpu_count_has_controller(controllers, len, "cpu")) {
        char other[PATH_MAX];

        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%.*s", root, (int)len, controllers);
        snprintf(other, sizeof other, "%s/sys/fs/cgroup/cpu", root);
        cpu_count_lower_by_groups(access(mount, F_OK) == 0 ? mount : other, group, false, quota);
    }
}

uint32_t cpu_count_by_quota(uint32_t cpus, const char *root)
{
    char path[PATH_MAX], line[PATH_MAX];
    double quota = 0;
    FILE *file;

    if (snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= (int)sizeof path || !(file = fopen(path, "re")))
        return cpus;
    while (fgets(line, sizeof line, file))
        cpu_count_parse_line(root, line, &quota);
    fclose(file);
    if (quota > 0 && quota < cpus)
        cpus = (uint32_t)quota;
    return cpus > 0 ? cpus : 1;
}

uint32_t cpu_count(void)
{
    cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
    const size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
    long count = 0;

    if (!set)
        out_of_memory();
    if (sched_getaffinity(0, size, set) == 0)
        count = CPU_COUNT_S(size, set);
    CPU_FREE(set);
    if (count <= 0)
        count = sysconf(_SC_NPROCESSORS_ONLN);
    return cpu_count_by_quota(count > 0 ? (uint32_t)count : 1, "");
}
