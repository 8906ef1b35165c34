#include "core/base/cancel.h"

#include "core/base/must.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

struct cancel {
    uint32_t refs; /* loop thread only */
    /* Relaxed: a reader that misses a recent change only does work that is no longer needed. */
    atomic_bool set;
};

struct cancel *cancel_new(void)
{
    struct cancel *cancel = calloc(1, sizeof *cancel);

    if (!cancel)
        out_of_memory();
    cancel->refs = 1;
    return cancel;
}

struct cancel *cancel_ref(struct cancel *cancel)
{
    if (cancel)
        cancel->refs++;
    return cancel;
}

void cancel_unref(struct cancel *cancel)
{
    if (!cancel)
        return;
    assert(cancel->refs > 0);
    if (--cancel->refs == 0)
        free(cancel);
}

void cancel_set(struct cancel *cancel)
{
    atomic_store_explicit(&cancel->set, true, memory_order_relaxed);
}

bool cancel_is_set(const struct cancel *cancel)
{
    return cancel && atomic_load_explicit(&cancel->set, memory_order_relaxed);
}
