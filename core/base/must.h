/* Memory that is there, or the program ends: a gallery half in memory would give wrong answers. */
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
