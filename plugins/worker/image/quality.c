#include "plugins/worker/image/quality.h"

#include <math.h>
#include <string.h>

enum { SIDE = 64, SIDE_LEAST = 8 };

/* Linear from 0 at `none` to 1 at `all`, clamped. */
static double ramp(double value, double none, double all)
{
    double r = (value - none) / (all - none);

    return r < 0 ? 0 : r > 1 ? 1 : r;
}

/* Variance of the values and of their Laplacian. */
static void variances(const float *grey, uint32_t w, uint32_t h, double *of_values, double *of_laplacian)
{
    double sum = 0, squares = 0, sum_l = 0, squares_l = 0, n = 0, n_l = 0;

    for (uint32_t y = 0; y < h; y++)
        for (uint32_t x = 0; x < w; x++) {
            const float *v = grey + (size_t)y * w + x;

            sum += (double)*v;
            squares += (double)(*v * *v);
            n++;
            if (x > 0 && y > 0 && x + 1 < w && y + 1 < h) {
                double l = (double)(4 * v[0] - v[-1] - v[1] - v[-(int)w] - v[w]);

                sum_l += l;
                squares_l += l * l;
                n_l++;
            }
        }
    *of_values = squares / n - (sum / n) * (sum / n);
    *of_laplacian = squares_l / n_l - (sum_l / n_l) * (sum_l / n_l);
}

static void measure_pixels(const struct pixels *p, const struct kith_face *f, double factors[FLAWS])
{
    float grey[SIDE * SIDE] = {0};
    struct pixels face;
    double values, laplacian;

    pixels_part(p, (int64_t)f->x, (int64_t)f->y, (int64_t)f->width, (int64_t)f->height, SIDE, &face);
    if (face.width < SIDE_LEAST || face.height < SIDE_LEAST) {
        factors[FLAW_SHARPNESS] = 0;
    } else {
        for (size_t i = 0; i < (size_t)face.width * face.height; i++) /* Rec. 601 */
            grey[i] = 0.299f * face.rgb[i * 3] + 0.587f * face.rgb[i * 3 + 1] + 0.114f * face.rgb[i * 3 + 2];
        variances(grey, face.width, face.height, &values, &laplacian);
        factors[FLAW_CONTRAST] = ramp(sqrt(values), 8, 24);
        factors[FLAW_SHARPNESS] = ramp(log((laplacian + 1e-9) / (values + 1)), log(0.005), log(0.08));
    }
    pixels_free(&face);
}

struct point {
    double x, y;
};

static struct point mean_point(const float *landmarks, int first, int count)
{
    struct point m = {0};

    for (int i = first; i < first + count; i++) {
        m.x += (double)landmarks[i * 2] / count;
        m.y += (double)landmarks[i * 2 + 1] / count;
    }
    return m;
}

/* From landmarks. dlib's 5: two corners of each eye, base of the nose. iBUG's 68: eyes from 36 and 42, six points each;
 * nose 33. */
static double pose_factor(const struct kith_face *f)
{
    const int all = f->landmark_count == 68;
    struct point left, right, nose;
    double dx, dy, apart;

    if (f->landmark_count != 5 && !all)
        return 1;
    left = mean_point(f->landmarks, all ? 36 : 0, all ? 6 : 2);
    right = mean_point(f->landmarks, all ? 42 : 2, all ? 6 : 2);
    nose = mean_point(f->landmarks, all ? 33 : 4, 1);
    dx = right.x - left.x;
    dy = right.y - left.y;
    apart = hypot(dx, dy);
    if (!(apart > 0))
        return 0;
    /* Offset along the line of the eyes: in-plane rotation does not count. */
    return ramp(fabs((nose.x - (left.x + right.x) / 2) * dx + (nose.y - (left.y + right.y) / 2) * dy) / (apart * apart),
                0.6, 0.15);
}

float quality_of(const struct pixels *p, const struct kith_face *f, enum quality_flaw *flaw)
{
    double factors[FLAWS] = {1, 1, 1, 1, 1}, product = 1;

    factors[FLAW_DETECTOR] = ramp((double)f->quality, 0, 1);
    if (p->rgb && f->width > 0 && f->height > 0) {
        factors[FLAW_SIZE] = ramp(log((double)f->width), log(24), log(100));
        factors[FLAW_POSE] = pose_factor(f);
        measure_pixels(p, f, factors);
    }
    *flaw = FLAW_SIZE;
    for (int i = 0; i < FLAWS; i++) {
        product *= factors[i];
        if (factors[i] < factors[*flaw])
            *flaw = (enum quality_flaw)i;
    }
    return (float)product;
}
