/* Decodes a file to upright RGB pixels. Only called in a worker, because decoders run on untrusted data. Any thread. */
#ifndef KITH_PLUGINS_WORKER_IMAGE_DECODE_H
#define KITH_PLUGINS_WORKER_IMAGE_DECODE_H

#include "core/base/error.h"
#include "core/image/sniff.h"
#include "plugins/worker/image/limits.h"

#include <stdbool.h>

enum { PIXELS_MISSING = 128 /* the grey of what a file that is cut short does not hold */ };

struct pixels {
    uint8_t *rgb; /* owned; 3 bytes per pixel, rows without gaps */
    uint32_t width, height;
    double scale;                           /* size relative to the full picture */
    uint32_t picture_width, picture_height; /* of the full picture, upright */
    bool partial;                           /* the file is cut short: the rest of the picture is grey */
};

/* Loads what decoders load at their first use. A worker calls it once, before its sandbox closes. */
void decode_prepare(void);

/* Checks type, size and scans before decoding: 0, or -EINVAL with `error`. */
int decode_check(const uint8_t *data, size_t len, const struct image_limits *limits, struct image_header *header,
                 struct error *error);

/* Decodes to upright pixels whose longer side is at most `wanted_side` (0: full size). A JPEG may be decoded at a
 * smaller DCT scale and a JPEG 2000 at a lower resolution, not below `scale` (1: full size); a JPEG of more pixels than
 * the limit at half its size or less, see limits_shrink(). A file that is cut short is decoded as far as it goes. 0, or
 * -EINVAL with `error`; pixels_free() frees the result. */
int decode(const uint8_t *data, size_t len, const struct image_limits *limits, uint32_t wanted_side, double scale,
           struct pixels *out, struct error *error);
void pixels_free(struct pixels *p);

/* Decoders of each format, at full size; JPEG and JPEG 2000 at a scale whose longer side is not below `wanted_side`.
 * `out` holds the checked size of the header as picture_width and picture_height, which decode_heif() replaces by the
 * size after the rotation that the file asks for. After an error `out` may hold pixels. */
int decode_jpeg(const uint8_t *data, size_t len, uint32_t wanted_side, struct pixels *out, struct error *error);
int decode_png(const uint8_t *data, size_t len, struct pixels *out, struct error *error);
int decode_webp(const uint8_t *data, size_t len, struct pixels *out, struct error *error);
int decode_gif(const uint8_t *data, size_t len, struct pixels *out, struct error *error);
int decode_bmp(const uint8_t *data, size_t len, struct pixels *out, struct error *error);
int decode_tiff(const uint8_t *data, size_t len, struct pixels *out, struct error *error);
int decode_jp2(const uint8_t *data, size_t len, uint32_t wanted_side, struct pixels *out, struct error *error);
int decode_heif(const uint8_t *data, size_t len, bool av1, struct pixels *out, struct error *error);

/* Allocates width × height pixels of the value `fill`. False: there is no memory; `error` says so. */
bool pixels_allocate(struct pixels *p, uint32_t width, uint32_t height, uint8_t fill, struct error *error);

/* A sample with an alpha value that is not premultiplied, on white. */
static inline uint8_t pixels_on_white(unsigned value, unsigned alpha)
{
    return (uint8_t)((value * alpha + 255 * (255 - alpha)) / 255);
}

void pixels_compose_on_white(const uint8_t *rgba, uint8_t *rgb, size_t pixels);

/* Applies an EXIF orientation, 1 to 8. */
void pixels_orient(struct pixels *p, int orientation);
/* Copies the part at x, y of width × height, clipped to the picture, scaled down to at most `side` pixels (0: not
 * scaled) by area average. */
void pixels_part(const struct pixels *p, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t side,
                 struct pixels *out);
/* Encodes a JPEG, owned by the caller (free). NULL on failure. */
uint8_t *pixels_jpeg(const struct pixels *p, int quality, size_t *len);

#endif
