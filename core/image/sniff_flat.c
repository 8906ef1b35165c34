/* Headers of GIF, BMP and JPEG 2000. */
#include "core/image/sniff_internal.h"

#include <string.h>

/* GIF89a: a screen of 7 bytes, its colours, blocks; an image begins with its place and size. */
void sniff_gif(const uint8_t *data, size_t len, struct image_header *h)
{
    enum { SCREEN = 13, EXTENSION = 0x21, IMAGE = 0x2c };
    size_t at = SCREEN;

    if (len < SCREEN)
        return;
    h->width = sniff_little16(data + 6);
    h->height = sniff_little16(data + 8);
    if (data[10] & 0x80)
        at += (size_t)3 << ((data[10] & 7) + 1);
    while (at + 2 < len && data[at] == EXTENSION) {
        at += 2;
        while (at < len && data[at])
            at += (size_t)data[at] + 1;
        at++;
    }
    if (at + 10 > len || data[at] != IMAGE)
        return;
    h->coded_pixels = (uint64_t)sniff_little16(data + at + 5) * sniff_little16(data + at + 7);
}

/* The sizes of the headers that Windows and OS/2 wrote, and one colour plane: "BM" alone may begin a text. */
bool sniff_is_bmp(const uint8_t *data, size_t len)
{
    uint32_t size;

    if (len < 26 || data[0] != 'B' || data[1] != 'M')
        return false;
    size = sniff_little32(data + 14);
    if (size == 12)
        return sniff_little16(data + 22) == 1;
    return len >= 54 && (size == 40 || size == 52 || size == 56 || size == 64 || size == 108 || size == 124) &&
           sniff_little16(data + 26) == 1;
}

void sniff_bmp(const uint8_t *data, size_t len, struct image_header *h)
{
    (void)len;
    if (sniff_little32(data + 14) == 12) {
        h->width = sniff_little16(data + 18);
        h->height = sniff_little16(data + 20);
        return;
    }
    h->width = sniff_little32(data + 18);
    h->height = sniff_little32(data + 22);
    if (h->height > INT32_MAX) /* negative: rows from top to bottom */
        h->height = 0 - h->height;
    if (h->width > INT32_MAX)
        h->width = 0;
}

static const uint8_t jp2_signature[] = {0, 0, 0, 12, 'j', 'P', ' ', ' ', '\r', '\n', 0x87, '\n'};
static const uint8_t jp2_codestream[] = {0xff, 0x4f, 0xff, 0x51};

bool sniff_is_jp2(const uint8_t *data, size_t len)
{
    return (len >= sizeof jp2_signature && memcmp(data, jp2_signature, sizeof jp2_signature) == 0) ||
           (len >= sizeof jp2_codestream && memcmp(data, jp2_codestream, sizeof jp2_codestream) == 0);
}

/* ISO/IEC 15444-1, A.5.1: the marker SIZ is the first of the codestream. A tile costs memory and time whatever its
 * size. */
static void sniff_codestream(const uint8_t *data, size_t len, struct image_header *h)
{
    enum { SIZ = 42, TILE_PIXELS = 10000 };
    uint64_t right, bottom, left, top, tile_width, tile_height, across, down;

    if (len < SIZ || memcmp(data, jp2_codestream, sizeof jp2_codestream) != 0)
        return;
    right = sniff_big32(data + 8);
    bottom = sniff_big32(data + 12);
    left = sniff_big32(data + 16);
    top = sniff_big32(data + 20);
    tile_width = sniff_big32(data + 24);
    tile_height = sniff_big32(data + 28);
    if (right <= left || bottom <= top || tile_width == 0 || tile_height == 0)
        return;
    h->width = (uint32_t)(right - left);
    h->height = (uint32_t)(bottom - top);
    across = (right + tile_width - 1) / tile_width;
    down = (bottom + tile_height - 1) / tile_height;
    h->coded_pixels = across > UINT64_MAX / TILE_PIXELS / down ? UINT64_MAX : across * down * TILE_PIXELS;
}

void sniff_jp2(const uint8_t *data, size_t len, struct image_header *h)
{
    size_t at = 0;

    if (data[0] == 0xff) {
        sniff_codestream(data, len, h);
        return;
    }
    while (len - at >= 8) { /* boxes, up to the codestream */
        uint64_t size = sniff_big32(data + at);
        size_t head = 8;

        if (size == 1 && len - at >= 16) {
            size = sniff_big64(data + at + 8);
            head = 16;
        }
        if (memcmp(data + at + 4, "jp2c", 4) == 0) {
            sniff_codestream(data + at + head, len - at - head, h);
            return;
        }
        if (size < head || size > len - at)
            return;
        at += (size_t)size;
    }
}
