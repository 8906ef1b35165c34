/* Messages of other nodes: refused, or decoded to a message that encodes to the same bytes again and again. The first
 * byte is the wire type. */
#include "actors/cluster/wire.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint32_t type = (uint32_t)fuzz_number(&in, 1);
    struct msg *m = wire_decode(type, in.data, in.len), *again;
    struct buf first = {0}, second = {0};

    if (!m)
        return 0;
    fuzz_require(wire_encode(m, &first) == type);
    again = wire_decode(type, first.data ? first.data : "", first.len);
    fuzz_require(again && again->type == m->type);
    fuzz_require(wire_encode(again, &second) == type && second.len == first.len);
    if (first.data && second.data)
        fuzz_require(memcmp(first.data, second.data, first.len) == 0);
    buf_free(&first);
    buf_free(&second);
    msg_unref(m);
    msg_unref(again);
    return 0;
}
