/* WebP with libwebp, composed on white. The incremental decoder gives the rows of a file that is cut short. */
#include "plugins/worker/image/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <webp/decode.h>

/* RIFF: the length of the file behind the first eight bytes. */
static bool webp_is_cut(const uint8_t *data, size_t len)
{
    enum { RIFF_HEAD = 8 };
    const uint32_t says =
        (uint32_t)data[4] | (uint32_t)data[5] << 8 | (uint32_t)data[6] << 16 | (uint32_t)data[7] << 24;

    return says > len - RIFF_HEAD;
}

/* Decodes to `to`, of rows of `stride` bytes. */
static int webp_decompress(const uint8_t *data, size_t len, bool alpha, uint8_t *to, int stride, struct pixels *out,
                           struct error *error)
{
    WebPIDecoder *decoder = WebPINewRGB(alpha ? MODE_RGBA : MODE_RGB, to, (size_t)stride * out->height, stride);
    VP8StatusCode status;

    if (!decoder)
        return error_set(error, -EINVAL, "no memory for the WebP decoder");
    status = WebPIUpdate(decoder, data, len);
    WebPIDelete(decoder);
    if (status == VP8_STATUS_OK)
        return 0;
    out->partial = status == VP8_STATUS_SUSPENDED && webp_is_cut(data, len);
    return out->partial ? 0 : error_set(error, -EINVAL, "damaged WebP");
}

int decode_webp(const uint8_t *data, size_t len, struct pixels *out, struct error *error)
{
    WebPBitstreamFeatures features;
    struct pixels clear = {0};
    size_t pixels;
    int result;

    if (WebPGetFeatures(data, len, &features) != VP8_STATUS_OK || features.has_animation)
        return error_set(error, -EINVAL, "damaged WebP");
    if (!pixels_allocate(out, (uint32_t)features.width, (uint32_t)features.height, PIXELS_MISSING, error))
        return -EINVAL;
    if (!features.has_alpha)
        return webp_decompress(data, len, false, out->rgb, features.width * 3, out, error);
    pixels = (size_t)out->width * out->height;
    if (!(clear.rgb = calloc(pixels, 4)))
        return error_set(error, -EINVAL, "no memory for a picture of %u×%u", out->width, out->height);
    result = webp_decompress(data, len, true, clear.rgb, features.width * 4, out, error);
    if (result == 0)
        pixels_compose_on_white(clear.rgb, out->rgb, pixels);
    pixels_free(&clear);
    return result;
}
