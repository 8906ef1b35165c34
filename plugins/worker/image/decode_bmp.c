/* BMP of Windows and OS/2 without compression: 1, 4 and 8 bits with a palette; 16, 24 and 32 bits, also with masks.
 * MSDN, "Bitmap Storage". */
#include "plugins/worker/image/decode.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_HEAD = 14, CORE = 12, INFO = 40, NOT_COMPRESSED = 0, MASKS = 3, MASKS_WITH_ALPHA = 6 };

struct bmp {
    const uint8_t *data;
    size_t len;
    uint32_t head, bits, compression; /* head: bytes of the header of the picture */
    bool top_down, alpha;             /* alpha: a mask for it, and a pixel that is not 0 there */
    uint32_t masks[4];                /* red, green, blue, alpha */
    const uint8_t *palette, *rows;    /* inside data, or at its end */
    uint32_t colours, entry;          /* of the palette, and bytes of each */
    size_t stride;
};

static uint32_t bmp_number(const uint8_t *p, int bytes)
{
    uint32_t v = 0;

    for (int i = bytes; i > 0; i--)
        v = v << 8 | p[i - 1];
    return v;
}

static void bmp_choose_masks(struct bmp *b)
{
    static const uint32_t five[] = {0x7c00, 0x3e0, 0x1f, 0}, eight[] = {0xff0000, 0xff00, 0xff, 0};
    const bool given = b->compression != NOT_COMPRESSED;

    memcpy(b->masks, b->bits == 16 ? five : eight, sizeof b->masks);
    for (size_t i = 0; given && i < 4; i++) {
        const size_t at = FILE_HEAD + INFO + i * 4;
        const bool there = i < 3 || b->head >= INFO + 16 || b->compression == MASKS_WITH_ALPHA;

        b->masks[i] = there && at + 4 <= b->len ? bmp_number(b->data + at, 4) : 0;
    }
}

static int bmp_read_head(struct bmp *b, const struct pixels *out, struct error *error)
{
    const uint8_t *info = b->data + FILE_HEAD;
    uint32_t rows = bmp_number(b->data + 10, 4);
    uint64_t palette;

    b->head = bmp_number(info, 4);
    b->bits = bmp_number(info + (b->head == CORE ? 10 : 14), 2);
    b->compression = b->head == CORE ? NOT_COMPRESSED : bmp_number(info + 16, 4);
    b->top_down = b->head != CORE && info[11] & 0x80;
    b->entry = b->head == CORE ? 3 : 4;
    if (b->bits != 1 && b->bits != 4 && b->bits != 8 && b->bits != 16 && b->bits != 24 && b->bits != 32)
        return error_set(error, -EINVAL, "a BMP of %u bits a pixel; kith reads 1, 4, 8, 16, 24 and 32", b->bits);
    if (b->compression != NOT_COMPRESSED &&
        !((b->compression == MASKS || b->compression == MASKS_WITH_ALPHA) && (b->bits == 16 || b->bits == 32)))
        return error_set(error, -EINVAL, "a compressed BMP (%u); kith reads those without compression", b->compression);
    bmp_choose_masks(b);
    palette = (uint64_t)FILE_HEAD + b->head;
    b->colours = b->bits <= 8 ? 1U << b->bits : 0;
    b->palette = b->data + (palette < b->len ? palette : b->len);
    if ((size_t)(b->data + b->len - b->palette) / b->entry < b->colours)
        b->colours = (uint32_t)((size_t)(b->data + b->len - b->palette) / b->entry);
    b->rows = b->data + (rows < b->len ? rows : b->len);
    b->stride = ((size_t)out->picture_width * b->bits + 31) / 32 * 4;
    return 0;
}

/* The part of a pixel under a mask, 0 to 255. */
static uint8_t bmp_masked(uint32_t pixel, uint32_t mask)
{
    uint32_t shift = 0;

    if (mask == 0)
        return 0;
    while (!(mask >> shift & 1))
        shift++;
    return (uint8_t)((uint64_t)((pixel & mask) >> shift) * 255 / (mask >> shift));
}

static void bmp_draw_indexed(const struct bmp *b, const uint8_t *row, uint32_t width, uint8_t *to)
{
    for (uint32_t x = 0; x < width; x++, to += 3) {
        const uint32_t bit = x * b->bits,
                       index = (uint32_t)row[bit / 8] >> (8 - b->bits - bit % 8) & ((1U << b->bits) - 1);
        const uint8_t *colour = b->palette + (size_t)index * b->entry;

        if (index >= b->colours)
            continue; /* stays as it was */
        to[0] = colour[2];
        to[1] = colour[1];
        to[2] = colour[0];
    }
}

/* 24 and 32 bits without masks, the usual kinds: blue, green, red. */
static void bmp_draw_plain(const struct bmp *b, const uint8_t *row, uint32_t width, uint8_t *to)
{
    for (uint32_t x = 0; x < width; x++, row += b->bits / 8, to += 3) {
        to[0] = row[2];
        to[1] = row[1];
        to[2] = row[0];
    }
}

static void bmp_draw_masked(const struct bmp *b, const uint8_t *row, uint32_t width, uint8_t *to)
{
    const uint32_t bytes = b->bits / 8;

    for (uint32_t x = 0; x < width; x++, to += 3) {
        const uint32_t pixel = bmp_number(row + (size_t)x * bytes, (int)bytes);
        const uint8_t alpha = b->alpha ? bmp_masked(pixel, b->masks[3]) : 255;

        for (int c = 0; c < 3; c++)
            to[c] = pixels_on_white(bmp_masked(pixel, b->masks[c]), alpha);
    }
}

/* The rows that the file holds, from its beginning; they are stored from the bottom unless it says otherwise. */
static uint32_t bmp_draw(struct bmp *b, const struct pixels *out)
{
    uint32_t row = 0;

    for (size_t left = (size_t)(b->data + b->len - b->rows); row < out->height && left >= b->stride;
         row++, left -= b->stride) {
        const uint32_t y = b->top_down ? row : out->height - 1 - row;
        const uint8_t *from = b->rows + (size_t)row * b->stride;
        uint8_t *to = out->rgb + (size_t)y * out->width * 3;

        if (b->bits <= 8)
            bmp_draw_indexed(b, from, out->width, to);
        else if (b->bits >= 24 && b->compression == NOT_COMPRESSED)
            bmp_draw_plain(b, from, out->width, to);
        else
            bmp_draw_masked(b, from, out->width, to);
    }
    return row;
}

/* Many programs write an alpha of 0 everywhere and mean an opaque picture. */
static bool bmp_has_alpha(const struct bmp *b)
{
    if (b->bits != 32 || !b->masks[3])
        return false;
    for (const uint8_t *p = b->rows; b->data + b->len - p >= 4; p += 4)
        if (bmp_number(p, 4) & b->masks[3])
            return true;
    return false;
}

int decode_bmp(const uint8_t *data, size_t len, struct pixels *out, struct error *error)
{
    struct bmp b = {.data = data, .len = len};
    int result = bmp_read_head(&b, out, error);

    if (result < 0)
        return result;
    if ((size_t)(data + len - b.rows) < b.stride)
        return error_set(error, -EINVAL, "the BMP is cut short before its first row");
    if (!pixels_allocate(out, out->picture_width, out->picture_height, PIXELS_MISSING, error))
        return -EINVAL;
    assert(b.rows && b.palette);
    b.alpha = bmp_has_alpha(&b);
    out->partial = bmp_draw(&b, out) < out->height;
    return 0;
}
