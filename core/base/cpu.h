/* Which vector instructions may be used. Every kernel that is selected at run time uses this limit
 * (KITH_INSTRUCTIONS). Any thread; the limit is set before threads start.
 *
 * Kernels outside the dlib plug-in give the same bits at every level: the same operations in the same order, one
 * rounding after each (-ffp-contract=off keeps the compiler from fusing a product with a sum).
 */
#ifndef KITH_CORE_BASE_CPU_H
#define KITH_CORE_BASE_CPU_H

enum cpu_level {
    CPU_PLAIN,  /* the compiler's baseline */
    CPU_AVX2,   /* AVX2 and FMA */
    CPU_AVX512, /* AVX-512 F, BW and VNNI */
    CPU_LEVELS
};

/* The highest level that this CPU has and the limit allows. */
enum cpu_level cpu_level(void);

/* Sets the limit. It is CPU_AVX512 at the start, or the value of the environment variable KITH_INSTRUCTIONS. */
void cpu_limit(enum cpu_level most);

/* "plain", "avx2", "avx512" or "auto" (CPU_AVX512) → the level; -EINVAL for anything else. */
int cpu_level_of(const char *name);

#endif
