/* From the bytes of a file to upright RGB pixels. Only ever called in a worker: these are other people's decoders on
 * other people's bytes. One thread. */
#ifndef KITH_PLUGINS_WORKER_IMAGE_DECODE_H
#define KITH_PLUGINS_WORKER_IMAGE_DECODE_H

#include "core/base/error.h"
#include "core/image/sniff.h"

#include <stdbool.h>

struct pixels {
    uint8_t *rgb; /* owned; 3 bytes a pixel, rows without gaps */
    uint32_t width, height;
    double scale;                           /* pixels here for one pixel of the picture */
    uint32_t picture_width, picture_height; /* of the upright picture at full size */
};

/* Checks type and size by the header: 0, or -EINVAL with the reason in words. */
int decode_check(const uint8_t *data, size_t len, uint64_t max_pixels, struct image_header *header,
                 struct error *error);

/* Decodes to upright pixels whose longer side is at most `wanted_side` (0: full size); a JPEG smaller still where that
 * is cheap, though not below `scale` (1: no). 0, or -EINVAL with `error`. */
int decode(const uint8_t *data, size_t len, uint64_t max_pixels, uint32_t wanted_side, double scale, struct pixels *out,
           struct error *error);
void pixels_free(struct pixels *p);

/* One for each format: decode at full size, or (JPEG) at a fraction not below `wanted_side`. `out` already holds the
 * size that the header was checked with. */
int decode_jpeg(const uint8_t *data, size_t len, uint32_t wanted_side, struct pixels *out, struct error *error);
int decode_png(const uint8_t *data, size_t len, struct pixels *out, struct error *error);
int decode_webp(const uint8_t *data, size_t len, struct pixels *out, struct error *error);

/* Applies an EXIF orientation, 1 to 8. */
void pixels_orient(struct pixels *p, int orientation);
/* The part at x, y of width × height (clipped to the picture), at most `side` pixels long, by area average. */
void pixels_part(const struct pixels *p, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t side,
                 struct pixels *out);
/* A JPEG of them, owned by the caller (free). NULL when it cannot be made. */
uint8_t *pixels_jpeg(const struct pixels *p, int quality, size_t *len);

#endif
