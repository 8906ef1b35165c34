/* Type, size and orientation of an image file, read from its header before any decoder runs. Any thread. */
#ifndef KITH_CORE_IMAGE_SNIFF_H
#define KITH_CORE_IMAGE_SNIFF_H

#include <stddef.h>
#include <stdint.h>

enum image_type { IMAGE_UNKNOWN, IMAGE_JPEG, IMAGE_PNG, IMAGE_WEBP };

struct image_header {
    enum image_type type;
    uint32_t width, height; /* as stored; 0 when it is not in the header */
    int orientation;        /* EXIF, 1 to 8 */
    int animated;
};

/* Never fails: an unknown format is IMAGE_UNKNOWN. Reads at most `len` bytes. */
struct image_header sniff(const uint8_t *data, size_t len);

/* "image/jpeg", …; NULL when unknown. */
const char *sniff_content_type(enum image_type type);

/* The orientation in a TIFF block (after "Exif\0\0"), 1 when it holds none. */
int exif_orientation(const uint8_t *tiff, size_t len);

#endif
