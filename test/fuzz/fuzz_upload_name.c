/* Content-Disposition: a name that fits, or an error. */
#include "actors/intake/upload_name.h"
#include "test/fuzz/fuzz.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *header, name[UPLOAD_HEADER_BYTES] = "";
    int result;

    if (size >= UPLOAD_HEADER_BYTES)
        return 0;
    header = fuzz_copy(data, size);
    result = upload_name_parse(header, name, sizeof name);
    fuzz_require(result == 0 || result == -ENOENT || result == -EINVAL);
    fuzz_require(result != 0 || strlen(name) < strlen(header));
    free(header);
    return 0;
}
