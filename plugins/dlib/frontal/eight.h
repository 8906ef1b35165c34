// Vectors of eight floats, the compiler's: two of four where there is no AVX. A source that is to run by several sets
// of instructions is INLINE throughout: its few functions that are not are compiled for one of them each.
#ifndef KITH_PLUGINS_DLIB_FRONTAL_EIGHT_H
#define KITH_PLUGINS_DLIB_FRONTAL_EIGHT_H

#include "plugins/dlib/cpu.h"

#include <cstring>

#define INLINE inline __attribute__((always_inline))
#define WIDE   __attribute__((target("avx2,fma")))

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

INLINE v8 all(float x)
{
    return v8{x, x, x, x, x, x, x, x};
}

inline bool is_wide() // functions that are WIDE may run
{
    return cpu::available() >= cpu::level::AVX2;
}
} // namespace hog
#endif
