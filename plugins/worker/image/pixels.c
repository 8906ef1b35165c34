/* Rotates and scales pictures. */
#include "plugins/worker/image/decode.h"

#include "core/base/must.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool pixels_allocate(struct pixels *p, uint32_t width, uint32_t height, uint8_t fill, struct error *error)
{
    const size_t bytes = (size_t)width * height * 3;

    p->rgb = malloc(bytes);
    if (!p->rgb) {
        error_set(error, -EINVAL, "no memory for a picture of %u×%u", width, height);
        return false;
    }
    memset(p->rgb, fill, bytes);
    p->width = width;
    p->height = height;
    return true;
}

void pixels_compose_on_white(const uint8_t *rgba, uint8_t *rgb, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < 3; c++)
            rgb[i * 3 + c] = pixels_on_white(rgba[i * 4 + c], rgba[i * 4 + 3]);
}

/* Offset of pixel (x, y) of the upright picture in the stored one of w × h. EXIF 2.3, tag 0x0112. */
static size_t pixels_source_offset(int orientation, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
    uint32_t sx = x, sy = y;

    switch (orientation) {
    case 2: /* mirrored */
        sx = w - 1 - x;
        break;
    case 3: /* rotated by 180° */
        sx = w - 1 - x;
        sy = h - 1 - y;
        break;
    case 4: /* mirrored vertically */
        sy = h - 1 - y;
        break;
    case 5: /* transposed */
        sx = y;
        sy = x;
        break;
    case 6: /* rotate clockwise */
        sx = y;
        sy = h - 1 - x;
        break;
    case 7: /* transposed along the other diagonal */
        sx = w - 1 - y;
        sy = h - 1 - x;
        break;
    case 8: /* rotate anticlockwise */
        sx = w - 1 - y;
        sy = x;
        break;
    default:
        break;
    }
    return ((size_t)sy * w + sx) * 3;
}

void pixels_orient(struct pixels *p, int orientation)
{
    uint32_t w = p->width, h = p->height;
    bool turned = orientation >= 5;
    uint8_t *upright, *out;

    if (orientation <= 1)
        return;
    out = upright = malloc((size_t)w * h * 3);
    if (!upright)
        out_of_memory();
    p->width = turned ? h : w;
    p->height = turned ? w : h;
    if (turned) {
        uint32_t swap = p->picture_width;

        p->picture_width = p->picture_height;
        p->picture_height = swap;
    }
    for (uint32_t y = 0; y < p->height; y++)
        for (uint32_t x = 0; x < p->width; x++, out += 3)
            memcpy(out, p->rgb + pixels_source_offset(orientation, x, y, w, h), 3);
    free(p->rgb);
    p->rgb = upright;
}

/* Divides `length` pixels into `count` non-empty intervals of almost equal length. */
static uint32_t *pixels_divide(uint32_t from, uint32_t length, uint32_t count)
{
    uint32_t *edges = malloc(((size_t)count + 1) * sizeof *edges);

    if (!edges)
        out_of_memory();
    for (uint32_t i = 0; i <= count; i++)
        edges[i] = from + (uint32_t)((uint64_t)i * length / count);
    return edges;
}

static void pixels_add_row(const uint8_t *row, size_t count, uint32_t *restrict sums)
{
    for (size_t i = 0; i < count; i++)
        sums[i] += row[i];
}

/* Each pixel of `out` is the mean of its box in the part at x, y of width × height, which is at least as large. */
static void pixels_average(const struct pixels *p, uint32_t x, uint32_t y, uint32_t width, uint32_t height,
                           const struct pixels *out)
{
    uint32_t *across = pixels_divide(x, width, out->width), *down = pixels_divide(y, height, out->height);
    uint32_t *sums =
        malloc(((size_t)width * 3 + 1) * sizeof *sums); /* of the rows of a box; no overflow: max_pixels < 2^30 */
    uint8_t *to = out->rgb;

    if (!sums)
        out_of_memory();
    for (uint32_t oy = 0; oy < out->height; oy++) {
        memset(sums, 0, (size_t)width * 3 * sizeof *sums);
        for (uint32_t sy = down[oy]; sy < down[oy + 1]; sy++)
            pixels_add_row(p->rgb + ((size_t)sy * p->width + x) * 3, (size_t)width * 3, sums);
        for (uint32_t ox = 0; ox < out->width; ox++, to += 3) {
            const uint32_t *in = sums + (size_t)(across[ox] - x) * 3, *end = sums + (size_t)(across[ox + 1] - x) * 3;
            float share = 1 / ((float)(across[ox + 1] - across[ox]) * (float)(down[oy + 1] - down[oy]));
            int64_t red = 0, green = 0, blue = 0;

            for (; in < end; in += 3) {
                red += in[0];
                green += in[1];
                blue += in[2];
            }
            to[0] = (uint8_t)((float)red * share + 0.5f);
            to[1] = (uint8_t)((float)green * share + 0.5f);
            to[2] = (uint8_t)((float)blue * share + 0.5f);
        }
    }
    free(sums);
    free(across);
    free(down);
}

static int64_t pixels_clip(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

void pixels_part(const struct pixels *p, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t side,
                 struct pixels *out)
{
    uint32_t x0 = (uint32_t)pixels_clip(x, 0, p->width - 1), y0 = (uint32_t)pixels_clip(y, 0, p->height - 1);
    uint32_t w = (uint32_t)pixels_clip(x + width, x0 + 1, p->width) - x0,
             h = (uint32_t)pixels_clip(y + height, y0 + 1, p->height) - y0;
    uint32_t longer = w > h ? w : h;

    *out = (struct pixels){.width = w, .height = h, .scale = 1};
    if (side && longer > side) {
        out->width = (uint32_t)((uint64_t)w * side / longer);
        out->height = (uint32_t)((uint64_t)h * side / longer);
        out->width += out->width == 0;
        out->height += out->height == 0;
    }
    out->rgb = malloc((size_t)out->width * out->height * 3);
    if (!out->rgb)
        out_of_memory();
    pixels_average(p, x0, y0, w, h, out);
    out->scale = (double)out->width / w;
}
