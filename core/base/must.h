/* Ends the program when an allocation fails: there is no useful way to go on. */
#ifndef KITH_CORE_BASE_MUST_H
#define KITH_CORE_BASE_MUST_H

#include <stdlib.h>

static inline void *must(void *allocated)
{
    if (!allocated)
        abort();
    return allocated;
}

#endif
