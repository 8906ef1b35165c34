/* PNG with libpng's simplified API, composed on white. */
#include "plugins/worker/image/decode.h"

#include <errno.h>
#include <png.h>
#include <stdlib.h>

static int png_decompress(const uint8_t *data, size_t len, struct pixels *out, struct error *error)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    png_color white = {255, 255, 255};

    if (!png_image_begin_read_from_memory(&image, data, len))
        return error_set(error, -EINVAL, "damaged PNG: %s", image.message);
    image.format = PNG_FORMAT_RGB;
    out->rgb = malloc(PNG_IMAGE_SIZE(image));
    if (!out->rgb) {
        png_image_free(&image);
        return error_set(error, -EINVAL, "no memory for a picture of %u×%u", image.width, image.height);
    }
    out->width = image.width;
    out->height = image.height;
    if (!png_image_finish_read(&image, &white, out->rgb, 0, NULL))
        return error_set(error, -EINVAL, "damaged PNG or one cut short: %s", image.message);
    return 0;
}

int decode_png(const uint8_t *data, size_t len, struct pixels *out, struct error *error)
{
    uint8_t *stripped = malloc(len);
    int result;

    if (!stripped)
        return error_set(error, -EINVAL, "no memory for a PNG of %zu bytes", len);
    result = png_decompress(stripped, limits_strip_png(data, len, stripped), out, error);
    free(stripped);
    return result;
}
