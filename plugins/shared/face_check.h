/* Checks the numbers of a face. The worker checks what a plug-in returns, the parent what a worker sends: a number that
 * is not finite would become invalid JSON, or a distance that compares with nothing. Pure functions; any thread. */
#ifndef KITH_PLUGINS_SHARED_FACE_CHECK_H
#define KITH_PLUGINS_SHARED_FACE_CHECK_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct face_numbers {
    float x, y, width, height, quality, label_distance;
    uint32_t landmark_count, dimension;
    const float *landmarks; /* pairs x, y */
    const float *embedding; /* `dimension` numbers; NULL: none */
    bool has_label;
};

struct face_rules {
    uint32_t metric, dimension;             /* of the recogniser */
    uint32_t picture_width, picture_height; /* 0: unknown */
};

/* 0, or -EINVAL with an `error` that names the number: "the recogniser returned an invalid face: …". */
int face_check(const struct face_numbers *face, const struct face_rules *rules, struct error *error);

/* Whether the box overlaps the picture, with one pixel of tolerance for rounding. */
bool face_box_is_inside(float x, float y, float width, float height, uint32_t picture_width, uint32_t picture_height);

#endif
