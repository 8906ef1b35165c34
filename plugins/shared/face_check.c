#include "plugins/shared/face_check.h"

#include "plugins/recognizer.h"

#include <errno.h>
#include <math.h>

#define INVALID "the recogniser returned an invalid face: "

static const double COORDINATE_MAX = 1e9; /* above the side of any picture; an int32_t holds it */

static bool face_check_is_coordinate(float v)
{
    return fabs((double)v) < COORDINATE_MAX; /* false for NaN */
}

bool face_box_is_inside(float x, float y, float width, float height, uint32_t picture_width, uint32_t picture_height)
{
    const double w = picture_width, h = picture_height;

    return (double)x < w + 1 && (double)y < h + 1 && (double)x + (double)width > -1 && (double)y + (double)height > -1;
}

static int face_check_box(const struct face_numbers *f, const struct face_rules *rules, struct error *error)
{
    if (!face_check_is_coordinate(f->x) || !face_check_is_coordinate(f->y) || !face_check_is_coordinate(f->width) ||
        !face_check_is_coordinate(f->height))
        return error_set(error, -EINVAL, INVALID "its box %g, %g, %g, %g is not finite", (double)f->x, (double)f->y,
                         (double)f->width, (double)f->height);
    if (f->has_label && f->width == 0 && f->height == 0) /* a label may have no box */
        return 0;
    if (f->width <= 0 || f->height <= 0)
        return error_set(error, -EINVAL, INVALID "its box has a size of %g×%g", (double)f->width, (double)f->height);
    if (rules->picture_width &&
        !face_box_is_inside(f->x, f->y, f->width, f->height, rules->picture_width, rules->picture_height))
        return error_set(error, -EINVAL, INVALID "its box lies outside the picture");
    return 0;
}

static int face_check_landmarks(const struct face_numbers *f, struct error *error)
{
    if (f->landmark_count > KITH_LANDMARKS_MAX)
        return error_set(error, -EINVAL, INVALID "it has %u landmarks, the limit is %d", f->landmark_count,
                         KITH_LANDMARKS_MAX);
    if (f->landmark_count && !f->landmarks)
        return error_set(error, -EINVAL, INVALID "its landmarks are missing");
    for (uint32_t i = 0; i < f->landmark_count * 2; i++)
        if (!face_check_is_coordinate(f->landmarks[i]))
            return error_set(error, -EINVAL, INVALID "its landmark %u is not finite", i / 2);
    return 0;
}

static int face_check_embedding(const struct face_numbers *f, const struct face_rules *rules, struct error *error)
{
    double squares = 0;

    if (!f->embedding)
        return f->has_label ? 0 : error_set(error, -EINVAL, INVALID "it has neither an embedding nor a label");
    if (f->dimension != rules->dimension || f->dimension == 0)
        return error_set(error, -EINVAL, INVALID "its embedding has %u numbers, not %u", f->dimension,
                         rules->dimension);
    for (uint32_t i = 0; i < f->dimension; i++) {
        const double v = (double)f->embedding[i];

        if (!isfinite(v))
            return error_set(error, -EINVAL, INVALID "number %u of its embedding is not finite", i);
        if (v < 0 && rules->metric == KITH_METRIC_CHI_SQUARE)
            return error_set(error, -EINVAL, INVALID "number %u of its histogram is negative", i);
        squares += v * v;
    }
    if ((double)(float)squares > 1e30) /* distances are computed with float */
        return error_set(error, -EINVAL, INVALID "its embedding has a norm of %g", sqrt(squares));
    if (squares == 0 && rules->metric == KITH_METRIC_COSINE)
        return error_set(error, -EINVAL, INVALID "its embedding has no direction");
    return 0;
}

int face_check(const struct face_numbers *face, const struct face_rules *rules, struct error *error)
{
    int result = face_check_box(face, rules, error);

    if (result == 0)
        result = face_check_landmarks(face, error);
    if (result == 0 && !(face->quality >= 0 && face->quality <= 1))
        result = error_set(error, -EINVAL, INVALID "its quality is %g, not 0 to 1", (double)face->quality);
    if (result == 0 && face->has_label && !(face->label_distance >= 0 && isfinite(face->label_distance)))
        result = error_set(error, -EINVAL, INVALID "its distance is %g", (double)face->label_distance);
    return result < 0 ? result : face_check_embedding(face, rules, error);
}
