/* Image headers and EXIF, and names of people from file names: never a failure, values in their ranges. */
#include "core/image/formats.h"
#include "core/image/photo_name.h"
#include "test/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_header h = sniff(data, size);
    int orientation = exif_orientation(data, size);
    char *file = fuzz_copy(data, size), *name = photo_name_person(file);

    fuzz_require(h.type < IMAGE_TYPES && h.orientation >= 1 && h.orientation <= 8);
    fuzz_require(h.preview_at <= size && h.preview_len <= size - h.preview_at);
    fuzz_require((image_format(h.type)->content_type != NULL) == (h.type != IMAGE_UNKNOWN));
    fuzz_require(orientation >= 1 && orientation <= 8);
    fuzz_require(name && strlen(name) <= strlen(file));
    free(name);
    free(file);
    return 0;
}
