#include "core/image/sniff_internal.h"

#include <string.h>

/* Markers up to the start of the scan: SOF0..15 (but DHT, JPG, DAC) hold the size, APP1 may hold EXIF. */
void sniff_jpeg(const uint8_t *data, size_t len, struct image_header *h)
{
    size_t at = 2;

    while (at + 4 <= len) {
        uint8_t marker = data[at + 1];
        size_t segment;

        if (data[at] != 0xff)
            return;
        if (marker == 0xff || marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8)) { /* fill bytes, no length */
            at += marker == 0xff ? 1 : 2;
            continue;
        }
        segment = sniff_big16(data + at + 2);
        if (marker == 0xd9 || marker == 0xda || segment < 2 || at + 2 + segment > len)
            return;
        if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc && segment >= 8 &&
            !h->width) {
            h->height = sniff_big16(data + at + 5);
            h->width = sniff_big16(data + at + 7);
            h->lossless = (marker & 3) == 3;
        } else if (marker == 0xe1 && segment >= 8 && memcmp(data + at + 4, "Exif\0\0", 6) == 0) {
            h->orientation = exif_orientation(data + at + 10, segment - 8);
        }
        at += 2 + segment;
    }
}

static void sniff_png(const uint8_t *data, size_t len, struct image_header *h)
{
    size_t at = 8;

    if (len < 33 || memcmp(data + 12, "IHDR", 4) != 0)
        return;
    h->width = sniff_big32(data + 16);
    h->height = sniff_big32(data + 20);
    h->deep = data[24] == 16;
    while (at + 12 <= len) {
        uint32_t size = sniff_big32(data + at);

        if (size > len - at - 12)
            return;
        if (memcmp(data + at + 4, "eXIf", 4) == 0)
            h->orientation = exif_orientation(data + at + 8, size);
        at += 12 + (size_t)size;
    }
}

static void sniff_webp(const uint8_t *data, size_t len, struct image_header *h)
{
    size_t at = 12;

    while (at + 8 <= len) {
        const uint8_t *chunk = data + at + 8;
        size_t size = sniff_little32(data + at + 4), held = size < len - at - 8 ? size : len - at - 8;

        if (memcmp(data + at, "VP8X", 4) == 0 && held >= 10) {
            h->animated = (chunk[0] & 2) != 0;
            h->width = sniff_little24(chunk + 4) + 1;
            h->height = sniff_little24(chunk + 7) + 1;
        } else if (memcmp(data + at, "VP8 ", 4) == 0 && held >= 10 && !h->width) {
            h->width = (uint32_t)(chunk[6] | chunk[7] << 8) & 0x3fff;
            h->height = (uint32_t)(chunk[8] | chunk[9] << 8) & 0x3fff;
        } else if (memcmp(data + at, "VP8L", 4) == 0 && held >= 5 && !h->width) {
            uint32_t bits = sniff_little32(chunk + 1);

            h->width = (bits & 0x3fff) + 1;
            h->height = (bits >> 14 & 0x3fff) + 1;
        } else if (memcmp(data + at, "EXIF", 4) == 0) {
            int prefixed = held >= 6 && memcmp(chunk, "Exif\0\0", 6) == 0;

            h->orientation = exif_orientation(chunk + (prefixed ? 6 : 0), held - (prefixed ? 6 : 0));
        }
        if (size > len - at - 8)
            return;
        at += 8 + size + (size & 1);
    }
}

/* Sets the type of formats that begin with a fixed text. */
static enum image_type sniff_type(const uint8_t *data, size_t len)
{
    if (len >= 4 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff)
        return IMAGE_JPEG;
    if (len >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0)
        return IMAGE_PNG;
    if (len >= 16 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0)
        return IMAGE_WEBP;
    if (len >= 6 && (memcmp(data, "GIF87a", 6) == 0 || memcmp(data, "GIF89a", 6) == 0))
        return IMAGE_GIF;
    if (sniff_is_tiff(data, len))
        return IMAGE_TIFF;
    if (sniff_is_raf(data, len))
        return IMAGE_RAW;
    if (sniff_is_jp2(data, len))
        return IMAGE_JP2;
    return sniff_is_bmp(data, len) ? IMAGE_BMP : sniff_heif_type(data, len);
}

struct image_header sniff(const uint8_t *data, size_t len)
{
    struct image_header h = {.type = sniff_type(data, len), .orientation = 1};

    if (h.type == IMAGE_JPEG)
        sniff_jpeg(data, len, &h);
    else if (h.type == IMAGE_PNG)
        sniff_png(data, len, &h);
    else if (h.type == IMAGE_WEBP)
        sniff_webp(data, len, &h);
    else if (h.type == IMAGE_GIF)
        sniff_gif(data, len, &h);
    else if (h.type == IMAGE_BMP)
        sniff_bmp(data, len, &h);
    else if (h.type == IMAGE_TIFF)
        sniff_tiff(data, len, &h);
    else if (h.type == IMAGE_JP2)
        sniff_jp2(data, len, &h);
    else if (h.type == IMAGE_HEIC || h.type == IMAGE_AVIF)
        sniff_heif(data, len, &h);
    else if (h.type == IMAGE_RAW && sniff_is_raf(data, len))
        sniff_raf(data, len, &h);
    else if (h.type == IMAGE_RAW)
        sniff_cr3(data, len, &h);
    return h;
}
