/* A picture of four quarters, red, green / blue, white: what was decoded is read back as "rgbw". */
#ifndef KITH_TEST_UNIT_PICTURES_QUARTERS_H
#define KITH_TEST_UNIT_PICTURES_QUARTERS_H

#include "plugins/worker/image/decode.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 96, HEIGHT = 64 };

static const uint8_t quarter_colours[4][3] = {{220, 20, 20}, {20, 200, 20}, {20, 20, 220}, {240, 240, 240}};

static inline int quarter_at(int x, int y)
{
    return (y >= HEIGHT / 2) * 2 + (x >= WIDTH / 2);
}

/* Owned: pixels_free(). */
static inline struct pixels quarters(void)
{
    struct pixels p = {.width = WIDTH, .height = HEIGHT, .rgb = malloc(WIDTH * HEIGHT * 3)};

    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            memcpy(p.rgb + (y * WIDTH + x) * 3, quarter_colours[quarter_at(x, y)], 3);
    return p;
}

/* m: the grey of what is missing. */
static inline char colour_at(const struct pixels *p, double x, double y)
{
    const uint8_t *c = p->rgb + ((size_t)(y * p->height) * p->width + (size_t)(x * p->width)) * 3;

    if (abs(c[0] - PIXELS_MISSING) < 8 && abs(c[1] - PIXELS_MISSING) < 8 && abs(c[2] - PIXELS_MISSING) < 8)
        return 'm';
    if (c[0] > 150 && c[1] > 150 && c[2] > 150)
        return 'w';
    return c[0] > 150 ? 'r' : c[1] > 150 ? 'g' : c[2] > 150 ? 'b' : '?';
}

/* The four quarters in reading order. */
static inline void read_quarters(const struct pixels *p, char out[5])
{
    out[0] = colour_at(p, 0.25, 0.25);
    out[1] = colour_at(p, 0.75, 0.25);
    out[2] = colour_at(p, 0.25, 0.75);
    out[3] = colour_at(p, 0.75, 0.75);
    out[4] = 0;
}

#endif
