/* How many CPUs this process may use: the default number of workers. Reads files; any thread. */
#ifndef KITH_PLUGINS_SHARED_CPU_COUNT_H
#define KITH_PLUGINS_SHARED_CPU_COUNT_H

#include <stdint.h>

/* CPUs in the affinity mask, but not more than the CPU quota of the control group allows. At least 1. */
uint32_t cpu_count(void);

/* `cpus`, or fewer by the quota of the process's control group and those above it (cgroup v2: cpu.max; v1:
 * cpu.cfs_quota_us), rounded down, at least 1. `root` precedes /proc and /sys; "" outside of tests. */
uint32_t cpu_count_by_quota(uint32_t cpus, const char *root);

#endif
