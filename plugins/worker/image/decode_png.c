/* PNG with libpng's simplified API, composed on white. */
#include "plugins/worker/image/decode.h"

#include <errno.h>
#include <png.h>
#include <stdlib.h>

int decode_png(const uint8_t *data, size_t len, struct pixels *out, struct error *error)
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
