/* A worked example of a recogniser. It treats the whole picture as one face; the embedding is a colour histogram of
 * 4 × 4 × 4 bins.
 *
 * It demonstrates the ABI and serves the tests of the host. Copy this folder to start a plug-in:
 *
 *   cc -shared -fPIC -fvisibility=hidden -I. -o mine.so plugins/NAME/NAME.c
 *   kith plugin check ./mine.so
 *   KITH_RECOGNIZER=./mine.so kith serve
 */
#include "plugins/recognizer.h"

#include <stdio.h>
#include <stdlib.h>

enum { LEVELS = 4, BINS = LEVELS * LEVELS * LEVELS };

struct instance { /* holds the result of recognize(), which stays valid until the next call */
    float embedding[BINS];
    struct kith_face face;
};

static void *example_open(const struct kith_settings *settings, char *error, size_t error_size)
{
    struct instance *me = calloc(1, sizeof *me);

    (void)settings; /* a real plug-in reads settings->list, for example the folder of its models */
    if (!me)
        snprintf(error, error_size, "out of memory");
    return me;
}

static int example_health(void *self, char *error, size_t error_size)
{
    (void)self;
    (void)error;
    (void)error_size;
    return KITH_OK;
}

static void example_count_colours(const struct kith_image *image, float bins[BINS])
{
    const float one = 1.0f / ((float)image->width * (float)image->height);

    for (int i = 0; i < BINS; i++)
        bins[i] = 0;
    for (uint32_t y = 0; y < image->height; y++) {
        const uint8_t *p = image->rgb + (size_t)y * image->stride;

        for (uint32_t x = 0; x < image->width; x++, p += 3)
            bins[(p[0] / 64 * LEVELS + p[1] / 64) * LEVELS + p[2] / 64] += one;
    }
}

static int example_recognize(void *self, const struct kith_image *image, struct kith_result *result, char *error,
                             size_t error_size)
{
    struct instance *me = self;

    if (image->width < 2 || image->height < 2) { /* an error of the image, not of the recogniser */
        snprintf(error, error_size, "a picture of %u×%u pixels is too small", image->width, image->height);
        return KITH_BAD_IMAGE;
    }
    example_count_colours(image, me->embedding);
    me->face = (struct kith_face){.size = sizeof me->face,
                                  .width = (float)image->width,
                                  .height = (float)image->height,
                                  .quality = 1,
                                  .embedding = me->embedding};
    result->faces = &me->face;
    result->face_count = 1;
    return KITH_OK;
}

static void example_close(void *self)
{
    free(self);
}

static const struct kith_recognizer descriptor = {
    .magic = KITH_RECOGNIZER_MAGIC,
    .abi = KITH_RECOGNIZER_ABI,
    .size = sizeof(struct kith_recognizer),
    .needs = KITH_NEEDS_PIXELS,
    .name = "example",
    .version = "1",
    .model_id = "example-colours-64",
    .metric = KITH_METRIC_L2,
    .dimension = BINS,
    .threshold = 0.1,
    .wanted_side = 256,
    .open = example_open,
    .health = example_health,
    .recognize = example_recognize,
    .close = example_close,
};

const struct kith_recognizer *kith_recognizer_get(void)
{
    return &descriptor;
}
