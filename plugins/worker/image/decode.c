#include "plugins/worker/image/decode.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

int decode_check(const uint8_t *data, size_t len, const struct image_limits *limits, struct image_header *header,
                 struct error *error)
{
    if (len == 0)
        return error_set(error, -EINVAL, "the file is empty");
    *header = sniff(data, len);
    if (header->type == IMAGE_UNKNOWN)
        return error_set(error, -EINVAL, "not an image kith knows (JPEG, PNG or WebP)");
    if (header->animated)
        return error_set(error, -EINVAL, "an animated picture; give a still one");
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
    if (header.type == IMAGE_JPEG)
        result = decode_jpeg(data, len, decode_least_side(&header, wanted_side, scale), out, error);
    else if (header.type == IMAGE_PNG)
        result = decode_png(data, len, out, error);
    else
        result = decode_webp(data, len, out, error);
    if (result < 0) {
        pixels_free(out);
        return result;
    }
    if (wanted_side && (out->width > wanted_side || out->height > wanted_side)) {
        struct pixels smaller;

        pixels_part(out, 0, 0, out->width, out->height, wanted_side, &smaller);
        pixels_free(out);
        *out = smaller;
    }
    out->picture_width = header.width;
    out->picture_height = header.height;
    out->scale = (double)out->width / header.width;
    pixels_orient(out, header.orientation);
    return 0;
}

void pixels_free(struct pixels *p)
{
    free(p->rgb);
    p->rgb = NULL;
}
