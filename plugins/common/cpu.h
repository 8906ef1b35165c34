// Which vector instructions a plug-in may use: those of the CPU, up to the setting KITH_INSTRUCTIONS. The limit is set
// when the first instance is opened and constant afterwards; then any thread may call available().
#ifndef KITH_PLUGINS_COMMON_CPU_H
#define KITH_PLUGINS_COMMON_CPU_H

#include <string>

namespace cpu
{
enum class level { PLAIN, AVX2, AVX512 }; // AVX2 includes FMA; AVX512 is AVX-512 F

// The highest level that the CPU has and the limit allows.
level available();

// Sets the limit: "plain", "avx2", "avx512" or "auto". Before the first call it is the value of the environment
// variable KITH_INSTRUCTIONS; without it there is none.
void limit(const std::string &name);
void limit(level highest);
} // namespace cpu
#endif
