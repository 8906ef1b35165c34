/* Limits of a picture, checked by its header and markers before a decoder runs, so that the CPU time of one picture is
 * bounded. Any thread. */
#ifndef KITH_PLUGINS_WORKER_IMAGE_LIMITS_H
#define KITH_PLUGINS_WORKER_IMAGE_LIMITS_H

#include "core/base/error.h"
#include "core/image/sniff.h"

#include <stdbool.h>

struct image_limits {
    uint64_t max_pixels;
    uint32_t max_scans; /* of a JPEG: each scan of a progressive one visits all pixels; 0: not limited */
};

/* 0, or -EINVAL with an `error` that names the limit and its setting. */
int limits_check(const uint8_t *data, size_t len, const struct image_header *header, const struct image_limits *limits,
                 struct error *error);

/* The largest scale at which a picture is decoded: 0.5 for a JPEG of one scan of up to four times as many pixels as the
 * limit, 1 for all others. */
double limits_shrink(const struct image_header *header, const struct image_limits *limits);

/* Scans of a JPEG, up to its end marker. */
uint32_t limits_count_scans(const uint8_t *jpeg, size_t len);

/* Whether the end marker of a JPEG is missing. */
bool limits_is_cut_jpeg(const uint8_t *jpeg, size_t len);

/* Copies the chunks of a PNG that a decoder needs to `out`, of `len` bytes, and returns their length. Texts, which may
 * be large and compressed, and unknown chunks are left out. `cut`: the last chunk, IEND, is missing. */
size_t limits_strip_png(const uint8_t *png, size_t len, uint8_t *out, bool *cut);

#endif
