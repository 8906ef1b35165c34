/* What the recognisers for tests share whose embedding is a colour. Included once by a plug-in, which has defined NAME,
 * MODEL, THRESHOLD and FACES_MAX; it defines colours_find(). */
#ifndef KITH_TEST_PLUGINS_COLOURS_H
#define KITH_TEST_PLUGINS_COLOURS_H

#include "plugins/recognizer.h"

#include <stdlib.h>

struct instance {
    float embeddings[FACES_MAX][3];
    struct kith_face faces[FACES_MAX];
};

/* Fills in the faces of the picture, each with its embedding. Returns their number. */
static uint32_t colours_find(struct instance *me, const struct kith_image *image);

static void *colours_open(const struct kith_settings *settings, char *error, size_t error_size)
{
    (void)settings;
    (void)error;
    (void)error_size;
    return calloc(1, sizeof(struct instance));
}

static int colours_health(void *self, char *error, size_t error_size)
{
    (void)self;
    (void)error;
    (void)error_size;
    return KITH_OK;
}

static int colours_recognize(void *self, const struct kith_image *image, struct kith_result *result, char *error,
                             size_t error_size)
{
    struct instance *me = self;

    (void)error;
    (void)error_size;
    result->face_count = colours_find(me, image);
    result->faces = me->faces;
    return KITH_OK;
}

static void colours_close(void *self)
{
    free(self);
}

static const struct kith_recognizer descriptor = {
    .magic = KITH_RECOGNIZER_MAGIC,
    .abi = KITH_RECOGNIZER_ABI,
    .size = sizeof descriptor,
    .needs = KITH_NEEDS_PIXELS,
    .name = NAME,
    .version = "1",
    .model_id = MODEL,
    .metric = KITH_METRIC_L2,
    .dimension = 3,
    .threshold = THRESHOLD,
    .open = colours_open,
    .health = colours_health,
    .recognize = colours_recognize,
    .close = colours_close,
};

const struct kith_recognizer *kith_recognizer_get(void)
{
    return &descriptor;
}

#endif
