/* Decoders: any bytes are decoded, or refused with a text, at every scale. The first byte selects scale and part. */
#include "plugins/shared/protocol.h"
#include "plugins/worker/image/decode.h"
#include "test/fuzz/fuzz.h"

enum { MAX_PIXELS = 1 << 18 };

static void fuzz_part(const struct pixels *p, uint64_t choice)
{
    struct pixels part = {0};
    size_t len = 0;
    uint8_t *jpeg;

    pixels_part(p, (int64_t)(choice % 7) - 3, (int64_t)(choice % 5) - 2, 40, 30, choice & 1 ? 16 : 0, &part);
    if (part.rgb && part.width && part.height) {
        jpeg = pixels_jpeg(&part, 80, &len);
        fuzz_require(jpeg && len);
        free(jpeg);
    }
    pixels_free(&part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t sides[] = {0, 16, 100, 4000};
    static const double scales[] = {1, 0.5, 0.125, 0};
    static const struct image_limits limits = {.max_pixels = MAX_PIXELS, .max_scans = 20};
    struct fuzz_input in = {data, size};
    uint64_t choice = fuzz_number(&in, 1);
    uint32_t side = sides[choice & 3];
    struct image_header header;
    struct error error = {0};
    struct pixels p = {0};
    int checked = decode_check(in.data, in.len, &limits, &header, &error);

    fuzz_require(checked == 0 || error.text[0]);
    if (decode(in.data, in.len, &limits, side, scales[choice >> 2 & 3], &p, &error) < 0) {
        fuzz_require(error.text[0]);
        return 0;
    }
    fuzz_require(checked == 0 && p.rgb && p.width && p.height && p.scale > 0);
    fuzz_require((uint64_t)p.picture_width * p.picture_height <= MAX_PIXELS * SHRUNK_PIXELS);
    fuzz_require(!side || (p.width <= side && p.height <= side));
    fuzz_part(&p, choice);
    pixels_free(&p);
    return 0;
}
