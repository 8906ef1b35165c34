/* JPEG with libjpeg-turbo, at a reduced DCT scale (1/8, 1/4, …) when that is large enough. */
#include "plugins/worker/image/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

/* The smallest scaled size whose longer side is not below `wanted`. */
static void jpeg_choose_size(int full_width, int full_height, uint32_t wanted, int *width, int *height)
{
    int count;
    const tjscalingfactor *factors = tjGetScalingFactors(&count);

    *width = full_width;
    *height = full_height;
    for (int i = 0; wanted && i < count; i++) {
        int w = TJSCALED(full_width, factors[i]), h = TJSCALED(full_height, factors[i]);

        if (w < *width && (uint32_t)(w > h ? w : h) >= wanted) {
            *width = w;
            *height = h;
        }
    }
}

/* CMYK JPEGs store inverted values (Adobe's convention, the only one in practice). In place: 4 bytes become 3. */
static void jpeg_convert_cmyk(uint8_t *data, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *in = data + i * 4;
        uint8_t *out = data + i * 3;
        unsigned c = in[0], m = in[1], y = in[2], k = in[3];

        out[0] = (uint8_t)(c * k / 255);
        out[1] = (uint8_t)(m * k / 255);
        out[2] = (uint8_t)(y * k / 255);
    }
}

static int jpeg_fail(tjhandle handle, const uint8_t *data, size_t len, struct error *error)
{
    return error_set(error, -EINVAL, limits_is_cut_jpeg(data, len) ? "the JPEG is cut short: %s" : "damaged JPEG: %s",
                     tjGetErrorStr2(handle));
}

static int jpeg_decompress(tjhandle handle, const uint8_t *data, size_t len, uint32_t wanted_side, struct pixels *out,
                           struct error *error)
{
    int width, height, subsampling, colours, w, h;
    bool cmyk;

    if (tjDecompressHeader3(handle, data, (unsigned long)len, &width, &height, &subsampling, &colours) < 0)
        return jpeg_fail(handle, data, len, error);
    if ((uint32_t)width != out->picture_width || (uint32_t)height != out->picture_height)
        return error_set(error, -EINVAL, "the JPEG's header contradicts itself");
    jpeg_choose_size(width, height, wanted_side, &w, &h);
    cmyk = colours == TJCS_CMYK || colours == TJCS_YCCK;
    out->rgb = malloc((size_t)w * (size_t)h * (cmyk ? 4 : 3));
    if (!out->rgb)
        return error_set(error, -EINVAL, "no memory for a picture of %d×%d", w, h);
    if (tjDecompress2(handle, data, (unsigned long)len, out->rgb, w, 0, h, cmyk ? TJPF_CMYK : TJPF_RGB,
                      TJFLAG_LIMITSCANS) < 0) {
        /* After a warning the picture is complete, but for the end of a file that is cut short. */
        if (tjGetErrorCode(handle) != TJERR_WARNING)
            return jpeg_fail(handle, data, len, error);
        out->partial = limits_is_cut_jpeg(data, len);
    }
    if (cmyk)
        jpeg_convert_cmyk(out->rgb, (size_t)w * (size_t)h);
    out->width = (uint32_t)w;
    out->height = (uint32_t)h;
    return 0;
}

int decode_jpeg(const uint8_t *data, size_t len, uint32_t wanted_side, struct pixels *out, struct error *error)
{
    tjhandle handle = tjInitDecompress();
    int result;

    if (!handle)
        return error_set(error, -EINVAL, "no memory for the JPEG decoder");
    result = jpeg_decompress(handle, data, len, wanted_side, out, error);
    tjDestroy(handle);
    return result;
}

uint8_t *pixels_jpeg(const struct pixels *p, int quality, size_t *len)
{
    tjhandle handle = tjInitCompress();
    unsigned char *jpeg = NULL;
    unsigned long size = 0;
    uint8_t *copy = NULL;

    if (handle &&
        tjCompress2(handle, p->rgb, (int)p->width, 0, (int)p->height, TJPF_RGB, &jpeg, &size, TJSAMP_420, quality, 0) ==
            0 &&
        (copy = malloc(size))) {
        memcpy(copy, jpeg, size);
        *len = size;
    }
    tjFree(jpeg);
    if (handle)
        tjDestroy(handle);
    return copy;
}
