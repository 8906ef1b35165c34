/* Decodes a file to upright RGB pixels. Only called in a worker, because decoders run on untrusted data. Any thread. */
#ifndef KITH_PLUGINS_WORKER_IMAGE_DECODE_H
#define KITH_PLUGINS_WORKER_IMAGE_DECODE_H

#include "core/base/error.h"
#include "core/image/sniff.h"
#include "plugins/worker/image/limits.h"

#include <stdbool.h>

struct pixels {
    uint8_t *rgb; /* owned; 3 bytes per pixel, rows without gaps */
    uint32_t width, height;
    double scale;                           /* size relative to the full picture */
    uint32_t picture_width, picture_height; /* of the full picture, upright */
};

/* Checks type, size and scans before decoding: 0, or -EINVAL with `error`. */
int decode_check(const uint8_t *data, size_t len, const struct image_limits *limits, struct image_header *header,
                 struct error *error);

/* Decodes to upright pixels whose longer side is at most `wanted_side` (0: full size). A JPEG may be decoded at a
 * smaller DCT scale, not below `scale` (1: full size). 0, or -EINVAL with `error`; pixels_free() frees the result. */
int decode(const uint8_t *data, size_t len, const struct image_limits *limits, uint32_t wanted_side, double scale,
           struct pixels *out, struct error *error);
void pixels_free(struct pixels *p);

/* Decoders of each format, at full size; JPEG at a DCT scale whose longer side is not below `wanted_side`. `out` holds
 * the checked size of the header. */
int decode_jpeg(const uint8_t *data, size_t len, uint32_t wanted_side, struct pixels *out, struct error *error);
int decode_png(const uint8_t *data, size_t len, struct pixels *out, struct error *error);
int decode_webp(const uint8_t *data, size_t len, struct pixels *out, struct error *error);

/* Applies an EXIF orientation, 1 to 8. */
void pixels_orient(struct pixels *p, int orientation);
/* Copies the part at x, y of width × height, clipped to the picture, scaled down to at most `side` pixels (0: not
 * scaled) by area average. */
void pixels_part(const struct pixels *p, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t side,
                 struct pixels *out);
/* Encodes a JPEG, owned by the caller (free). NULL on failure. */
uint8_t *pixels_jpeg(const struct pixels *p, int quality, size_t *len);

#endif
