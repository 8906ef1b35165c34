// Vectors of eight floats as a compiler extension; without AVX the compiler uses two vectors of four. A source that is
// compiled for several instruction sets declares its functions INLINE; only the entry point of each set is a real
// function.
#ifndef KITH_PLUGINS_DLIB_FRONTAL_VECTOR8_H
#define KITH_PLUGINS_DLIB_FRONTAL_VECTOR8_H

#include "plugins/common/cpu.h"

#include <cstring>

#define INLINE      inline __attribute__((always_inline))
#define TARGET_AVX2 __attribute__((target("avx2,fma")))

namespace hog
{
typedef float v8 __attribute__((vector_size(32)));

INLINE v8 load(const float *p)
{
    v8 v;

    std::memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store(float *p, v8 v)
{
    std::memcpy(p, &v, sizeof v);
}

INLINE v8 broadcast(float x)
{
    return v8{x, x, x, x, x, x, x, x};
}

inline bool has_avx2() // functions with TARGET_AVX2 may be called
{
    return cpu::available() >= cpu::level::AVX2;
}
} // namespace hog
#endif
