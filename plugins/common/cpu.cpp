#include "plugins/common/cpu.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>

namespace cpu
{
namespace
{
level detect()
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return __builtin_cpu_supports("avx512f") ? level::AVX512 : level::AVX2;
#endif
    return level::PLAIN;
}

level level_of(const std::string &name)
{
    return name == "plain" ? level::PLAIN : name == "avx2" ? level::AVX2 : level::AVX512;
}

std::atomic<level> &highest_allowed()
{
    static std::atomic<level> value{[] {
        const char *name = std::getenv("KITH_INSTRUCTIONS");

        return level_of(name ? name : "auto");
    }()};

    return value;
}
} // namespace

level available()
{
    static const level detected = detect();

    return std::min(detected, highest_allowed().load());
}

void limit(const std::string &name)
{
    limit(level_of(name));
}

void limit(level highest)
{
    highest_allowed().store(highest);
}
} // namespace cpu
