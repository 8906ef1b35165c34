#include "plugins/worker/image/decode.h"

#include "core/image/formats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int decode_check(const uint8_t *data, size_t len, const struct image_limits *limits, struct image_header *header,
                 struct error *error)
{
    if (len == 0)
        return error_set(error, -EINVAL, "the file is empty");
    *header = sniff(data, len);
    if (header->type == IMAGE_UNKNOWN)
        return error_set(error, -EINVAL, "not an image kith knows: %s", image_formats_text());
    if (header->animated)
        return error_set(error, -EINVAL, "an animated picture; give a still one");
    if (header->type == IMAGE_RAW && !header->preview_len)
        return error_set(error, -EINVAL, "the raw file has no preview (a JPEG), or it is cut short before it");
    if (header->width == 0 || header->height == 0)
        return error_set(error, -EINVAL, "the image's header is damaged or cut short");
    return limits_check(data, len, header, limits, error);
}

/* The least length of the longer side after decoding; 0: full size. */
static uint32_t decode_least_side(const struct image_header *header, uint32_t wanted_side, double scale)
{
    uint32_t longer = header->width > header->height ? header->width : header->height;
    uint32_t scaled = (uint32_t)ceil(longer * scale);

    if (scale >= 1)
        return wanted_side;
    return wanted_side && wanted_side < scaled ? wanted_side : scaled;
}

static int decode_format(const struct image_header *header, const uint8_t *data, size_t len, uint32_t least_side,
                         struct pixels *out, struct error *error)
{
    switch (header->type) {
    case IMAGE_JPEG:
        return decode_jpeg(data, len, least_side, out, error);
    case IMAGE_RAW:
        return decode_jpeg(data + header->preview_at, header->preview_len, least_side, out, error);
    case IMAGE_PNG:
        return decode_png(data, len, out, error);
    case IMAGE_WEBP:
        return decode_webp(data, len, out, error);
    case IMAGE_GIF:
        return decode_gif(data, len, out, error);
    case IMAGE_BMP:
        return decode_bmp(data, len, out, error);
    case IMAGE_TIFF:
        return decode_tiff(data, len, out, error);
    case IMAGE_JP2:
        return decode_jp2(data, len, least_side, out, error);
    case IMAGE_HEIC:
    case IMAGE_AVIF:
        return decode_heif(data, len, header->type == IMAGE_AVIF, out, error);
    case IMAGE_UNKNOWN:
    case IMAGE_TYPES:
        break;
    }
    return error_set(error, -EINVAL, "not an image kith knows: %s", image_formats_text());
}

/* Whether all pixels have the colour of the first one: a file may be cut short before anything of its picture. */
static bool decode_is_blank(const struct pixels *p)
{
    const size_t bytes = (size_t)p->width * p->height * 3;

    return memcmp(p->rgb, p->rgb + 3, bytes - 3) == 0;
}

/* Scales to at most `wanted_side`, 0: not, and turns the picture upright. */
static void decode_finish(struct pixels *out, uint32_t wanted_side, int orientation)
{
    if (wanted_side && (out->width > wanted_side || out->height > wanted_side)) {
        struct pixels smaller;

        pixels_part(out, 0, 0, out->width, out->height, wanted_side, &smaller);
        smaller.picture_width = out->picture_width;
        smaller.picture_height = out->picture_height;
        smaller.partial = out->partial;
        pixels_free(out);
        *out = smaller;
    }
    out->scale = (double)out->width / out->picture_width;
    pixels_orient(out, orientation);
}

int decode(const uint8_t *data, size_t len, const struct image_limits *limits, uint32_t wanted_side, double scale,
           struct pixels *out, struct error *error)
{
    struct image_header header = {0};
    int result = decode_check(data, len, limits, &header, error);

    *out = (struct pixels){.scale = 1};
    if (result < 0)
        return result;
    out->picture_width = header.width;
    out->picture_height = header.height;
    result =
        decode_format(&header, data, len,
                      decode_least_side(&header, wanted_side, fmin(scale, limits_shrink(&header, limits))), out, error);
    if (result == 0 && out->partial && decode_is_blank(out))
        result = error_set(error, -EINVAL, "the %s is cut short before its first row", image_format(header.type)->name);
    if (result < 0) {
        pixels_free(out);
        return result;
    }
    decode_finish(out, wanted_side, header.orientation);
    return 0;
}

void pixels_free(struct pixels *p)
{
    free(p->rgb);
    p->rgb = NULL;
}
