/* Text of plug-ins and clients: what comes out is valid UTF-8 that fits. The first byte is the size of the copy. */
#include "core/base/text.h"
#include "plugins/host/worker_text.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    size_t room = 1 + (size_t)fuzz_number(&in, 1), limit = (size_t)fuzz_number(&in, 1);
    char *from = fuzz_copy(in.data, in.len), *to = malloc(room);

    if (!to)
        abort();
    fuzz_require(text_copy_utf8(to, room, from) == strlen(to));
    fuzz_require(strlen(to) < room && text_is_utf8(to));
    if (text_is_utf8(from) && strlen(from) < room)
        fuzz_require(strcmp(from, to) == 0);
    worker_text_copy(to, room, from, in.len, limit);
    fuzz_require(strlen(to) < room && text_is_utf8(to));
    free(to);
    free(from);
    return 0;
}
