/* PNG with libpng's simplified API, composed on white. */
#include "plugins/worker/image/decode.h"

#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { CHECKSUM = 4 };

/* libpng writes each row to `rgb` as it reads it, so that the rows before an error are there. */
static int png_decompress(const uint8_t *data, size_t len, bool cut, struct pixels *out, struct error *error)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    png_color white = {255, 255, 255};

    if (!png_image_begin_read_from_memory(&image, data, len))
        return error_set(error, -EINVAL, "damaged PNG%s: %s", cut ? ", cut short" : "", image.message);
    image.format = PNG_FORMAT_RGB;
    if (!pixels_allocate(out, image.width, image.height, PIXELS_MISSING, error)) {
        png_image_free(&image);
        return -EINVAL;
    }
    if (png_image_finish_read(&image, &white, out->rgb, 0, NULL))
        return 0;
    out->partial = cut;
    return cut ? 0 : error_set(error, -EINVAL, "damaged PNG: %s", image.message);
}

static void png_put_big32(uint8_t *to, size_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* libpng takes a chunk of pixels only with its checksum, and reads some thousand bytes at once: the chunk that is cut
 * short gets the length that it has, and a checksum. `png` has room for CHECKSUM further bytes. Returns the length. */
static size_t png_end_chunk(uint8_t *png, size_t len)
{
    enum { SIGNATURE = 8, NAME = 4, BEFORE_DATA = 8, CHUNK = 12 };
    size_t at = SIGNATURE, held = 0;

    while (len - at >= CHUNK) {
        const uint8_t *size = png + at;
        const size_t data = (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 | size[3];

        held = len - at - BEFORE_DATA < data ? len - at - BEFORE_DATA : data;
        if (data > len - at - CHUNK)
            break;
        at += CHUNK + data;
    }
    if (len - at <= BEFORE_DATA || memcmp(png + at + NAME, "IDAT", 4) != 0)
        return len;
    png_put_big32(png + at, held);
    png_put_big32(png + at + BEFORE_DATA + held, crc32(0, png + at + NAME, (uInt)(held + NAME)));
    return at + CHUNK + held;
}

int decode_png(const uint8_t *data, size_t len, struct pixels *out, struct error *error)
{
    uint8_t *stripped = malloc(len + CHECKSUM);
    size_t kept;
    bool cut;
    int result;

    if (!stripped)
        return error_set(error, -EINVAL, "no memory for a PNG of %zu bytes", len);
    kept = limits_strip_png(data, len, stripped, &cut);
    if (cut)
        kept = png_end_chunk(stripped, kept);
    result = png_decompress(stripped, kept, cut, out, error);
    free(stripped);
    return result;
}
