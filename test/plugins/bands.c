/* A recogniser for tests of enrolment: the picture's first row is divided into bands of one colour; each band that is
 * not black is a face, as wide as the band and as high as its colour goes down. The colour is the embedding. A picture
 * whose first pixel is white has no face. BANDS_MODEL is the id of the model, so that tests can change it. */
#include "plugins/recognizer.h"

#include <stdlib.h>
#include <string.h>

#ifndef BANDS_MODEL
#define BANDS_MODEL "bands-1"
#endif

enum { FACES = 16 };

struct instance {
    float embedding[FACES][3];
    struct kith_face faces[FACES];
};

static void *bands_open(const struct kith_settings *settings, char *error, size_t error_size)
{
    (void)settings;
    (void)error;
    (void)error_size;
    return calloc(1, sizeof(struct instance));
}

static int bands_health(void *self, char *error, size_t error_size)
{
    (void)self;
    (void)error;
    (void)error_size;
    return KITH_OK;
}

static void bands_add(struct instance *me, uint32_t count, const struct kith_image *image, uint32_t from, uint32_t to)
{
    const uint8_t *colour = image->rgb + (size_t)from * 3;
    uint32_t height = 1;

    while (height < image->height && memcmp(colour, colour + (size_t)height * image->stride, 3) == 0)
        height++;
    for (int i = 0; i < 3; i++)
        me->embedding[count][i] = colour[i];
    me->faces[count] = (struct kith_face){.size = sizeof me->faces[count],
                                          .x = (float)from,
                                          .width = (float)(to - from),
                                          .height = (float)height,
                                          .quality = 1,
                                          .embedding = me->embedding[count]};
}

static int bands_recognize(void *self, const struct kith_image *image, struct kith_result *result, char *error,
                           size_t error_size)
{
    static const uint8_t black[3];
    struct instance *me = self;
    uint32_t count = 0, from = 0;

    (void)error;
    (void)error_size;
    for (uint32_t x = 1; x <= image->width && count < FACES; x++) {
        if (x < image->width && memcmp(image->rgb + (size_t)from * 3, image->rgb + (size_t)x * 3, 3) == 0)
            continue;
        if (memcmp(image->rgb + (size_t)from * 3, black, 3) != 0 && image->rgb[0] != 255)
            bands_add(me, count++, image, from, x);
        from = x;
    }
    result->faces = me->faces;
    result->face_count = count;
    return KITH_OK;
}

static void bands_close(void *self)
{
    free(self);
}

static const struct kith_recognizer descriptor = {
    .magic = KITH_RECOGNIZER_MAGIC,
    .abi = KITH_RECOGNIZER_ABI,
    .size = sizeof(struct kith_recognizer),
    .needs = KITH_NEEDS_PIXELS,
    .name = "bands",
    .version = "1",
    .model_id = BANDS_MODEL,
    .metric = KITH_METRIC_L2,
    .dimension = 3,
    .threshold = 5,
    .open = bands_open,
    .health = bands_health,
    .recognize = bands_recognize,
    .close = bands_close,
};

const struct kith_recognizer *kith_recognizer_get(void)
{
    return &descriptor;
}
