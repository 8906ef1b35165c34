/* What the sources of sniff() share: numbers, and the headers of each format. Each function fills in what it finds and
 * reads at most `len` bytes; `h` holds the type and orientation 1.
 *
 *   sniff.c       which format; JPEG, PNG, WebP
 *   sniff_flat.c  GIF, BMP, JPEG 2000
 *   sniff_tiff.c  TIFF, the raw formats that are TIFF, RAF, EXIF
 *   sniff_heif.c  HEIC, AVIF, CR3
 */
#ifndef KITH_CORE_IMAGE_SNIFF_INTERNAL_H
#define KITH_CORE_IMAGE_SNIFF_INTERNAL_H

#include "core/image/sniff.h"

#include <stdbool.h>

static inline uint32_t sniff_big16(const uint8_t *p)
{
    return (uint32_t)(p[0] << 8 | p[1]);
}

static inline uint32_t sniff_big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t sniff_big64(const uint8_t *p)
{
    return (uint64_t)sniff_big32(p) << 32 | sniff_big32(p + 4);
}

static inline uint32_t sniff_little16(const uint8_t *p)
{
    return (uint32_t)(p[0] | p[1] << 8);
}

static inline uint32_t sniff_little24(const uint8_t *p)
{
    return (uint32_t)(p[0] | p[1] << 8 | p[2] << 16);
}

static inline uint32_t sniff_little32(const uint8_t *p)
{
    return sniff_little24(p) | (uint32_t)p[3] << 24;
}

/* Sums that stay at UINT64_MAX. */
static inline uint64_t sniff_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void sniff_jpeg(const uint8_t *data, size_t len, struct image_header *h);

void sniff_gif(const uint8_t *data, size_t len, struct image_header *h);
bool sniff_is_bmp(const uint8_t *data, size_t len);
void sniff_bmp(const uint8_t *data, size_t len, struct image_header *h);
bool sniff_is_jp2(const uint8_t *data, size_t len);
void sniff_jp2(const uint8_t *data, size_t len, struct image_header *h);

bool sniff_is_tiff(const uint8_t *data, size_t len);
/* Sets the type to IMAGE_RAW when the directories say that it is one. */
void sniff_tiff(const uint8_t *data, size_t len, struct image_header *h);
bool sniff_is_raf(const uint8_t *data, size_t len);
void sniff_raf(const uint8_t *data, size_t len, struct image_header *h);
/* Makes a JPEG at `at` the preview when it is larger than the one so far and not a lossless one, which holds the
 * sensor's samples. */
void sniff_try_preview(const uint8_t *data, size_t len, uint64_t at, uint64_t size, struct image_header *h);

/* IMAGE_HEIC, IMAGE_AVIF, IMAGE_RAW (CR3) by the brands of the file, else IMAGE_UNKNOWN. */
enum image_type sniff_heif_type(const uint8_t *data, size_t len);
void sniff_heif(const uint8_t *data, size_t len, struct image_header *h);
void sniff_cr3(const uint8_t *data, size_t len, struct image_header *h);

#endif
