/* Type, size and orientation of an image file, read from its header before any decoder runs. Any thread. */
#ifndef KITH_CORE_IMAGE_SNIFF_H
#define KITH_CORE_IMAGE_SNIFF_H

#include <stddef.h>
#include <stdint.h>

enum image_type {
    IMAGE_UNKNOWN,
    IMAGE_JPEG,
    IMAGE_PNG,
    IMAGE_WEBP,
    IMAGE_GIF,
    IMAGE_BMP,
    IMAGE_TIFF,
    IMAGE_JP2,
    IMAGE_HEIC,
    IMAGE_AVIF,
    IMAGE_RAW,
    IMAGE_TYPES
};

struct image_header {
    enum image_type type;
    uint32_t width, height; /* as stored; 0 when it is not in the header. IMAGE_RAW: of the preview */
    int orientation;        /* EXIF, 1 to 8 */
    int animated;           /* WebP; of other formats the first picture is decoded */
    int deep;               /* PNG, TIFF: 16-bit samples */
    int lossless;           /* JPEG: coded without a DCT, which kith does not decode */
    /* Pixels that the decoder computes, where they may be more than width × height: tiles, alpha planes, a frame that
     * is larger than its canvas. Saturates at UINT64_MAX. */
    uint64_t coded_pixels;
    size_t preview_at, preview_len; /* IMAGE_RAW: the JPEG in the file */
};

/* Never fails: an unknown format is IMAGE_UNKNOWN. Reads at most `len` bytes; its time is bounded whatever they are. */
struct image_header sniff(const uint8_t *data, size_t len);

/* The orientation in a TIFF block (after "Exif\0\0"), 1 when it holds none. */
int exif_orientation(const uint8_t *tiff, size_t len);

#endif
