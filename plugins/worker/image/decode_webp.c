/* WebP with libwebp, composed on white. */
#include "plugins/worker/image/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <webp/decode.h>

static void flatten(const uint8_t *rgba, uint8_t *rgb, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++) {
        unsigned a = rgba[i * 4 + 3];

        for (int c = 0; c < 3; c++)
            rgb[i * 3 + (size_t)c] = (uint8_t)((rgba[i * 4 + (size_t)c] * a + 255 * (255 - a)) / 255);
    }
}

int decode_webp(const uint8_t *data, size_t len, struct pixels *out, struct error *error)
{
    WebPBitstreamFeatures features;
    size_t pixels;
    uint8_t *target;
    int stride, ok;

    if (WebPGetFeatures(data, len, &features) != VP8_STATUS_OK || features.has_animation)
        return error_set(error, -EINVAL, "damaged WebP");
    out->width = (uint32_t)features.width;
    out->height = (uint32_t)features.height;
    pixels = (size_t)out->width * out->height;
    stride = features.width * (features.has_alpha ? 4 : 3);
    out->rgb = malloc(pixels * 3);
    target = features.has_alpha ? malloc(pixels * 4) : out->rgb;
    if (!out->rgb || !target) {
        if (target != out->rgb)
            free(target);
        return error_set(error, -EINVAL, "no memory for a picture of %u×%u", out->width, out->height);
    }
    ok = features.has_alpha ? WebPDecodeRGBAInto(data, len, target, pixels * 4, stride) != NULL
                            : WebPDecodeRGBInto(data, len, target, pixels * 3, stride) != NULL;
    if (features.has_alpha) {
        if (ok)
            flatten(target, out->rgb, pixels);
        free(target);
    }
    return ok ? 0 : error_set(error, -EINVAL, "damaged WebP or one cut short");
}
