#include "core/base/cpu.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { UNKNOWN = -1 };

static atomic_int limit = UNKNOWN;
static atomic_int available = UNKNOWN;

int cpu_level_of(const char *name)
{
    static const char *const names[CPU_LEVELS] = {"plain", "avx2", "avx512"};

    if (strcmp(name, "auto") == 0)
        return CPU_LEVELS - 1;
    for (int i = 0; i < CPU_LEVELS; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -EINVAL;
}

static int cpu_detect(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512vnni")
                   ? CPU_AVX512
                   : CPU_AVX2;
#endif
    return CPU_PLAIN;
}

static int cpu_limit_of_environment(void)
{
    const char *name = getenv("KITH_INSTRUCTIONS");
    int level = name ? cpu_level_of(name) : CPU_LEVELS - 1;

    return level < 0 ? CPU_LEVELS - 1 : level; /* settings_load refuses other values */
}

/* Relaxed: two threads that are first at the same time compute the same value. */
enum cpu_level cpu_level(void)
{
    int has = atomic_load_explicit(&available, memory_order_relaxed);
    int most = atomic_load_explicit(&limit, memory_order_relaxed);

    if (has == UNKNOWN)
        atomic_store_explicit(&available, has = cpu_detect(), memory_order_relaxed);
    if (most == UNKNOWN)
        atomic_store_explicit(&limit, most = cpu_limit_of_environment(), memory_order_relaxed);
    return (enum cpu_level)(has < most ? has : most);
}

void cpu_limit(enum cpu_level most)
{
    atomic_store_explicit(&limit, (int)most, memory_order_relaxed);
}
