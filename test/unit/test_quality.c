/* The quality of a face: what lowers it, and which factor is reported. */
#include "plugins/worker/image/quality.h"
#include "test/unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 200 };

static float value(float x, float y)
{
    return 128 + 40 * sinf(x * 0.5f) * cosf(y * 0.45f) + 30 * sinf(x * 0.11f + y * 0.07f);
}

/* A pattern of fine and coarse waves. `blur`: radius of a box filter; `contrast`: factor. */
static struct pixels waves(int blur, float contrast)
{
    struct pixels p = {.rgb = malloc((size_t)SIDE * SIDE * 3), .width = SIDE, .height = SIDE, .scale = 1};

    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            float sum = 0;

            for (int dy = -blur; dy <= blur; dy++)
                for (int dx = -blur; dx <= blur; dx++)
                    sum += value((float)(x + dx), (float)(y + dy));
            sum /= (float)((2 * blur + 1) * (2 * blur + 1));
            memset(p.rgb + ((size_t)y * SIDE + (size_t)x) * 3, (int)(128 + (sum - 128) * contrast), 3);
        }
    return p;
}

static const float frontal[] = {40, 50, 60, 50, 100, 50, 80, 50, 70, 80}; /* dlib's five */

static struct kith_face face(float side, const float *landmarks)
{
    return (struct kith_face){.size = sizeof(struct kith_face),
                              .x = 20,
                              .y = 20,
                              .width = side,
                              .height = side,
                              .quality = 0.95f,
                              .landmark_count = 5,
                              .landmarks = landmarks};
}

static float quality(int blur, float contrast, struct kith_face f, enum quality_flaw *flaw)
{
    struct pixels p = waves(blur, contrast);
    float q = quality_of(&p, &f, flaw);

    pixels_free(&p);
    return q;
}

static void test_a_good_picture_is_what_the_detector_says(void **state)
{
    enum quality_flaw flaw;

    (void)state;
    assert_true(fabsf(quality(0, 1, face(120, frontal), &flaw) - 0.95f) < 0.01f);
    assert_int_equal(flaw, FLAW_DETECTOR);
}

static void test_each_thing_that_is_bad_takes_it_away_and_is_named(void **state)
{
    static const float turned[] = {40, 50, 60, 50, 100, 50, 80, 50, 95, 80};
    static const float tilted[] = {50, 40, 50, 60, 50, 100, 50, 80, 20, 70}; /* by a right angle, and frontal */
    struct kith_face covered = face(120, frontal);
    enum quality_flaw flaw;

    (void)state;
    assert_true(quality(8, 1, face(120, frontal), &flaw) < 0.3f);
    assert_int_equal(flaw, FLAW_SHARPNESS);
    assert_true(quality(0, 1, face(35, frontal), &flaw) < 0.35f);
    assert_int_equal(flaw, FLAW_SIZE);
    assert_true(quality(0, 0.2f, face(120, frontal), &flaw) < 0.3f);
    assert_int_equal(flaw, FLAW_CONTRAST);
    assert_true(quality(0, 1, face(120, turned), &flaw) < 0.5f);
    assert_int_equal(flaw, FLAW_POSE);
    assert_true(quality(0, 1, face(120, tilted), &flaw) > 0.9f);
    covered.quality = 0.2f;
    assert_true(quality(0, 1, covered, &flaw) < 0.25f);
    assert_int_equal(flaw, FLAW_DETECTOR);
}

static void test_more_blur_is_never_better(void **state)
{
    enum quality_flaw flaw;
    float last = 1;

    (void)state;
    for (int blur = 0; blur < 6; blur++) {
        float q = quality(blur, 1, face(120, frontal), &flaw);

        assert_true(q <= last + 0.02f);
        last = q;
    }
}

static void test_a_box_outside_or_without_pixels_is_survived(void **state)
{
    struct kith_face f = face(50, frontal);
    struct pixels none = {.scale = 1}, flat = waves(0, 0);
    enum quality_flaw flaw;

    (void)state;
    assert_true(fabsf(quality_of(&none, &f, &flaw) - 0.95f) < 1e-6f);
    assert_true(quality_of(&flat, &f, &flaw) == 0);
    f.x = -500;
    f.width = 1e6f;
    assert_true(isfinite(quality_of(&flat, &f, &flaw)));
    f.x = 1e6f;
    f.width = f.height = 1;
    assert_true(isfinite(quality_of(&flat, &f, &flaw)));
    f.landmarks = (const float[10]){0}; /* all in one point */
    assert_true(quality_of(&flat, &f, &flaw) == 0);
    pixels_free(&flat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_picture_is_what_the_detector_says),
        cmocka_unit_test(test_each_thing_that_is_bad_takes_it_away_and_is_named),
        cmocka_unit_test(test_more_blur_is_never_better),
        cmocka_unit_test(test_a_box_outside_or_without_pixels_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
