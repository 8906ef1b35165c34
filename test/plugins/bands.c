/* A recogniser for tests of enrolment: the picture's first row is divided into bands of one colour; each band that is
 * not black is a face, as wide as the band and as high as its colour goes down. The colour is the embedding. A picture
 * whose first pixel is white has no face. BANDS_MODEL is the id of the model, so that tests can change it. */
#ifndef BANDS_MODEL
#define BANDS_MODEL "bands-1"
#endif
#define NAME  "bands"
#define MODEL BANDS_MODEL
enum { FACES_MAX = 16, THRESHOLD = 5 };

#include "test/plugins/colours.h"

#include <string.h>

static void bands_add(struct instance *me, uint32_t count, const struct kith_image *image, uint32_t from, uint32_t to)
{
    const uint8_t *colour = image->rgb + (size_t)from * 3;
    uint32_t height = 1;

    while (height < image->height && memcmp(colour, colour + (size_t)height * image->stride, 3) == 0)
        height++;
    for (int i = 0; i < 3; i++)
        me->embeddings[count][i] = colour[i];
    me->faces[count] = (struct kith_face){.size = sizeof me->faces[count],
                                          .x = (float)from,
                                          .width = (float)(to - from),
                                          .height = (float)height,
                                          .quality = 1,
                                          .embedding = me->embeddings[count]};
}

static uint32_t colours_find(struct instance *me, const struct kith_image *image)
{
    static const uint8_t black[3];
    uint32_t count = 0, from = 0;

    for (uint32_t x = 1; x <= image->width && count < FACES_MAX; x++) {
        if (x < image->width && memcmp(image->rgb + (size_t)from * 3, image->rgb + (size_t)x * 3, 3) == 0)
            continue;
        if (memcmp(image->rgb + (size_t)from * 3, black, 3) != 0 && image->rgb[0] != 255)
            bands_add(me, count++, image, from, x);
        from = x;
    }
    return count;
}
