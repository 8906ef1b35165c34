// Which vector instructions this plug-in may use: what the CPU has, up to the setting KITH_INSTRUCTIONS. Set when the
// first instance is opened; afterwards constant, so any thread may ask.
#ifndef KITH_PLUGINS_DLIB_CPU_H
#define KITH_PLUGINS_DLIB_CPU_H

#include <string>

namespace cpu
{
enum class level { PLAIN, AVX2, AVX512 }; // AVX2 with FMA; AVX-512 F

// The highest level that the CPU has and the limit allows.
level available();

// "plain", "avx2", "avx512", "auto". At the start the limit is what the environment variable KITH_INSTRUCTIONS says,
// or none.
void limit(const std::string &name);
void limit(level most);
} // namespace cpu
#endif
