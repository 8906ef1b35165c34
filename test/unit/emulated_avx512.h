/* AVX-512 intrinsics in plain C, for compiling scan_avx512.c so that it runs on any CPU: SIMDe, and what it lacks. */
#ifndef KITH_TEST_EMULATED_AVX512_H
#define KITH_TEST_EMULATED_AVX512_H

#pragma GCC diagnostic ignored "-Wpsabi"
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#define AVX512
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps

static inline simde__m512 emulated_cvtepi32_ps(simde__m512i a)
{
    simde__m512i_private from = simde__m512i_to_private(a);
    simde__m512_private to;

    for (int i = 0; i < 16; i++)
        to.f32[i] = (simde_float32)from.i32[i];
    return simde__m512_from_private(to);
}

#endif
