/* A recogniser for tests of names: the picture is a grid of tiles of 32 pixels. A tile whose colour is not black is a
 * face, and its colour is the embedding. The face is a box in the middle of the tile, with a margin of 4 pixels.
 *
 * A tile with the blue value 255 is found in a small picture only (at most 80 pixels wide), as a face that a detector
 * misses. With TILES_OTHER it is another model: the colours in another order, and the boxes are a pixel larger.
 */
#define NAME "tiles"
#ifdef TILES_OTHER
#define MODEL "tiles-other"
enum { GROWN = 1, FIRST = 1 };
#else
#define MODEL "tiles"
enum { GROWN = 0, FIRST = 0 };
#endif
enum { TILE = 32, MARGIN = 4, FACES_MAX = 64, THRESHOLD = 20, SMALL = 80, MISSED = 255, DARK = 8 };

#include "test/plugins/colours.h"

#include <string.h>

/* The picture may be a part of a larger one: a tile begins where the colour does. */
static int tiles_is_corner(const struct kith_image *image, uint32_t x, uint32_t y)
{
    const uint8_t *p = image->rgb + (size_t)y * image->stride + (size_t)x * 3;
    const uint8_t *left = x ? p - 3 : NULL, *above = y ? p - image->stride : NULL;

    return p[0] + p[1] + p[2] > DARK && (!left || memcmp(p, left, 3) != 0) && (!above || memcmp(p, above, 3) != 0);
}

static uint32_t colours_find(struct instance *me, const struct kith_image *image)
{
    uint32_t count = 0;

    for (uint32_t y = 0; y < image->height; y++)
        for (uint32_t x = 0; x < image->width && count < FACES_MAX; x++) {
            const uint8_t *p = image->rgb + (size_t)y * image->stride + (size_t)x * 3;

            if (!tiles_is_corner(image, x, y) || (p[2] == MISSED && image->width > SMALL))
                continue;
            for (int i = 0; i < 3; i++)
                me->embeddings[count][i] = p[(i + FIRST) % 3];
            me->faces[count] = (struct kith_face){.size = sizeof me->faces[count],
                                                  .x = (float)(x + MARGIN - GROWN),
                                                  .y = (float)(y + MARGIN - GROWN),
                                                  .width = TILE - 2 * MARGIN + 2 * GROWN,
                                                  .height = TILE - 2 * MARGIN + 2 * GROWN,
                                                  .quality = 1,
                                                  .embedding = me->embeddings[count]};
            count++;
        }
    return count;
}
