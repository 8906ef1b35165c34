/* What an image file says of itself, read from its header by small careful code, before any decoder sees it. */
#ifndef KITH_CORE_IMAGE_SNIFF_H
#define KITH_CORE_IMAGE_SNIFF_H

#include <stddef.h>
#include <stdint.h>

enum image_type { IMAGE_UNKNOWN, IMAGE_JPEG, IMAGE_PNG, IMAGE_WEBP };

struct image_header {
    enum image_type type;
    uint32_t width, height; /* as stored; 0 when the header does not say */
    int orientation;        /* EXIF, 1 to 8 */
    int animated;
};

/* Never fails: what is not recognised stays IMAGE_UNKNOWN. Reads nothing beyond `len`. */
struct image_header sniff(const uint8_t *data, size_t len);

/* "image/jpeg", …; NULL when unknown. */
const char *sniff_content_type(enum image_type type);

/* The orientation in a TIFF block (after "Exif\0\0"), 1 when it holds none. */
int exif_orientation(const uint8_t *tiff, size_t len);

#endif
