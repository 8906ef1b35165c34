/* Turning and shrinking pictures. */
#include "plugins/host/decode.h"

#include <stdlib.h>
#include <string.h>

/* Where pixel (x, y) of the upright picture lies in the stored one of w × h. EXIF 2.3, tag 0x0112. */
static size_t source_of(int orientation, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
    uint32_t sx = x, sy = y;

    switch (orientation) {
    case 2: /* mirrored */
        sx = w - 1 - x;
        break;
    case 3: /* half a turn */
        sx = w - 1 - x;
        sy = h - 1 - y;
        break;
    case 4: /* mirrored upside down */
        sy = h - 1 - y;
        break;
    case 5: /* mirrored along the main diagonal */
        sx = y;
        sy = x;
        break;
    case 6: /* to be turned clockwise */
        sx = y;
        sy = h - 1 - x;
        break;
    case 7: /* mirrored along the other diagonal */
        sx = w - 1 - y;
        sy = h - 1 - x;
        break;
    case 8: /* to be turned anticlockwise */
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
        abort();
    p->width = turned ? h : w;
    p->height = turned ? w : h;
    if (turned) {
        uint32_t swap = p->picture_width;

        p->picture_width = p->picture_height;
        p->picture_height = swap;
    }
    for (uint32_t y = 0; y < p->height; y++)
        for (uint32_t x = 0; x < p->width; x++, out += 3)
            memcpy(out, p->rgb + source_of(orientation, x, y, w, h), 3);
    free(p->rgb);
    p->rgb = upright;
}

static void average(const struct pixels *p, uint32_t x0, uint32_t x1, uint32_t y0, uint32_t y1, uint8_t *out)
{
    uint64_t sum[3] = {0}, n = (uint64_t)(x1 - x0) * (y1 - y0);

    for (uint32_t y = y0; y < y1; y++) {
        const uint8_t *in = p->rgb + ((size_t)y * p->width + x0) * 3;

        for (uint32_t x = x0; x < x1; x++, in += 3) {
            sum[0] += in[0];
            sum[1] += in[1];
            sum[2] += in[2];
        }
    }
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)((sum[c] + n / 2) / n);
}

static int64_t clip(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

void pixels_part(const struct pixels *p, int64_t x, int64_t y, int64_t width, int64_t height, uint32_t side,
                 struct pixels *out)
{
    uint32_t x0 = (uint32_t)clip(x, 0, p->width - 1), y0 = (uint32_t)clip(y, 0, p->height - 1);
    uint32_t w = (uint32_t)clip(x + width, x0 + 1, p->width) - x0,
             h = (uint32_t)clip(y + height, y0 + 1, p->height) - y0;
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
        abort();
    for (uint32_t oy = 0; oy < out->height; oy++)
        for (uint32_t ox = 0; ox < out->width; ox++)
            average(
                p, x0 + (uint32_t)((uint64_t)ox * w / out->width), x0 + (uint32_t)((uint64_t)(ox + 1) * w / out->width),
                y0 + (uint32_t)((uint64_t)oy * h / out->height), y0 + (uint32_t)((uint64_t)(oy + 1) * h / out->height),
                out->rgb + ((size_t)oy * out->width + ox) * 3);
    out->scale = (double)out->width / w;
}
