#include "actors/cluster/wire.h"

struct msg *wire_copy(struct msg *m)
{
    struct buf body = {0};
    uint32_t type = wire_encode(m, &body);
    struct msg *copy = type ? wire_decode(type, body.data ? body.data : "", body.len) : NULL;

    buf_free(&body);
    if (!copy)
        return m;
    msg_unref(m);
    return copy;
}
