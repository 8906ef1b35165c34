#include "core/actor/msg.h"

#include "core/base/must.h"

#include <assert.h>
#include <stdlib.h>

struct msg *msg_new(uint32_t type, size_t struct_bytes)
{
    struct msg *m;

    assert(struct_bytes >= sizeof *m);
    m = calloc(1, struct_bytes);
    if (!m)
        out_of_memory();
    m->type = type;
    m->refs = 1;
    m->size_bytes = struct_bytes;
    return m;
}

struct msg *msg_ref(const struct msg *m)
{
    struct msg *mine = (struct msg *)(uintptr_t)m; /* immutable, except for the count */

    assert(mine->refs > 0);
    mine->refs++;
    return mine;
}

void msg_unref(const struct msg *m)
{
    struct msg *mine = (struct msg *)(uintptr_t)m;

    if (!mine)
        return;
    assert(mine->refs > 0);
    if (--mine->refs)
        return;
    if (mine->destroy)
        mine->destroy(mine);
    cancel_unref(mine->cancel);
    free(mine);
}
