#include "plugins/dlib/chip.h"

#include "plugins/dlib/cpu.h"

#include <dlib/image_transforms.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace dlib_recognizer
{
namespace
{
// Where the pixels of a chip come from: (x, y) from `m` (x, y) + `b` within a part of a picture.
struct origin {
    const dlib::rgb_pixel *corner; // of the part
    long wide, columns, rows;      // pixels from row to row of the picture; of the part
    double m[2][2], b[2];
};

long whole(double value)
{
    const long towards_zero = static_cast<long>(value);

    return towards_zero - (static_cast<double>(towards_zero) > value);
}

unsigned char mix(double right, double below, unsigned char tl, unsigned char tr, unsigned char bl, unsigned char br)
{
    return static_cast<unsigned char>((1 - below) * ((1 - right) * tl + right * tr) +
                                      below * ((1 - right) * bl + right * br));
}

// dlib's interpolate_bilinear: black where any of the four pixels is outside.
void take(const origin &o, int x, int y, dlib::rgb_pixel &to)
{
    const double at_x = o.m[0][0] * x + o.m[0][1] * y + o.b[0], at_y = o.m[1][0] * x + o.m[1][1] * y + o.b[1];
    const long left = whole(at_x), top = whole(at_y);

    to = {0, 0, 0};
    if (left < 0 || top < 0 || left + 1 >= o.columns || top + 1 >= o.rows)
        return;
    const double right = at_x - static_cast<double>(left), below = at_y - static_cast<double>(top);
    const dlib::rgb_pixel *a = o.corner + top * o.wide + left, *b = a + o.wide;

    to.red = mix(right, below, a[0].red, a[1].red, b[0].red, b[1].red);
    to.green = mix(right, below, a[0].green, a[1].green, b[0].green, b[1].green);
    to.blue = mix(right, below, a[0].blue, a[1].blue, b[0].blue, b[1].blue);
}

void take_row(const origin &o, int y, dlib::rgb_pixel *to)
{
    for (int x = 0; x < static_cast<int>(CHIP_SIDE); x++)
        take(o, x, y, to[x]);
}

#ifdef __x86_64__
// AVX2 without fused multiplication, which would round once where two roundings make the same pixel.
#define WIDE __attribute__((target("avx2")))

WIDE inline __m256d colours(uint32_t four)
{
    return _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(static_cast<int>(four))));
}

// Red, green, blue and what is not used, of a pixel that has one to its right, and of that one: six bytes are read.
WIDE inline void pair(const dlib::rgb_pixel *pixel, __m256d &left, __m256d &right)
{
    uint32_t first, last;

    std::memcpy(&first, pixel, sizeof first);
    std::memcpy(&last, reinterpret_cast<const unsigned char *>(pixel) + 2, sizeof last);
    left = colours(first);
    right = colours(last >> 8);
}

// The same operations in the same order as take(), all colours of a pixel at a time.
WIDE inline void blend(const dlib::rgb_pixel *top, const dlib::rgb_pixel *bottom, double right, double below,
                       dlib::rgb_pixel &to)
{
    const __m256d to_right = _mm256_set1_pd(right), to_left = _mm256_set1_pd(1 - right);
    __m256d tl, tr, bl, br;

    pair(top, tl, tr);
    pair(bottom, bl, br);
    const __m256d above = _mm256_add_pd(_mm256_mul_pd(to_left, tl), _mm256_mul_pd(to_right, tr));
    const __m256d under = _mm256_add_pd(_mm256_mul_pd(to_left, bl), _mm256_mul_pd(to_right, br));
    const __m128i sum = _mm256_cvttpd_epi32(
        _mm256_add_pd(_mm256_mul_pd(_mm256_set1_pd(1 - below), above), _mm256_mul_pd(_mm256_set1_pd(below), under)));
    const int bytes = _mm_cvtsi128_si32(
        _mm_shuffle_epi8(sum, _mm_setr_epi8(0, 4, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1)));

    std::memcpy(&to.red, &bytes, sizeof to);
}

// Where four neighbours of a row come from, in one direction: the pixel, and how far beyond it.
WIDE inline void places(const double (&m)[2], double b, int x, int y, __m256d &pixel, __m256d &beyond)
{
    const __m256d columns = _mm256_cvtepi32_pd(_mm_setr_epi32(x, x + 1, x + 2, x + 3));
    const __m256d at = _mm256_add_pd(
        _mm256_add_pd(_mm256_mul_pd(_mm256_set1_pd(m[0]), columns), _mm256_set1_pd(m[1] * y)), _mm256_set1_pd(b));

    pixel = _mm256_floor_pd(at);
    beyond = _mm256_sub_pd(at, pixel);
}

WIDE inline bool all_within(__m256d pixel, long size)
{
    const __m256d last = _mm256_set1_pd(static_cast<double>(size - 2));

    return _mm256_movemask_pd(_mm256_and_pd(_mm256_cmp_pd(pixel, _mm256_setzero_pd(), _CMP_GE_OQ),
                                            _mm256_cmp_pd(pixel, last, _CMP_LE_OQ))) == 15;
}

WIDE void take_row_wide(const origin &o, int y, dlib::rgb_pixel *to)
{
    int x = 0;

    for (; x + 4 <= static_cast<int>(CHIP_SIDE); x += 4) {
        __m256d left, right, top, below;
        double rights[4], belows[4];
        int lefts[4], tops[4];

        places(o.m[0], o.b[0], x, y, left, right);
        places(o.m[1], o.b[1], x, y, top, below);
        if (!all_within(left, o.columns) || !all_within(top, o.rows)) {
            for (int i = 0; i < 4; i++)
                take(o, x + i, y, to[x + i]);
            continue;
        }
        _mm256_storeu_pd(rights, right);
        _mm256_storeu_pd(belows, below);
        _mm_storeu_si128(reinterpret_cast<__m128i *>(lefts), _mm256_cvttpd_epi32(left));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(tops), _mm256_cvttpd_epi32(top));
        for (int i = 0; i < 4; i++) {
            const dlib::rgb_pixel *pixel = o.corner + tops[i] * o.wide + lefts[i];

            blend(pixel, pixel + o.wide, rights[i], belows[i], to[x + i]);
        }
    }
    for (; x < static_cast<int>(CHIP_SIDE); x++)
        take(o, x, y, to[x]);
}
#endif

dlib::drectangle turned(const dlib::chip_details &details)
{
    const dlib::dpoint middle = dlib::center(details.rect);
    dlib::drectangle around;

    for (const dlib::dpoint &corner :
         {details.rect.tl_corner(), details.rect.tr_corner(), details.rect.bl_corner(), details.rect.br_corner()})
        around += dlib::rotate_point<double>(middle, corner, details.angle);
    return around;
}

// As extract_image_chip finds it, rounding included: of the part of the picture around the chip, with a border.
origin origin_of(const picture &from, const dlib::chip_details &details)
{
    constexpr double BORDER = 2;
    const dlib::rectangle part = dlib::rectangle(dlib::grow_rect(turned(details), BORDER).intersect(get_rect(from)));
    const dlib::drectangle rect = dlib::translate_rect(details.rect, -dlib::dpoint(part.tl_corner()));
    const dlib::rectangle chip(0, 0, CHIP_SIDE - 1, CHIP_SIDE - 1);
    const auto there = [&](const dlib::dpoint &corner) {
        return dlib::rotate_point<double>(dlib::center(rect), corner, details.angle);
    };
    const std::vector<dlib::dpoint> inside{chip.tl_corner(), chip.tr_corner(), chip.bl_corner()};
    const std::vector<dlib::dpoint> outside{there(rect.tl_corner()), there(rect.tr_corner()), there(rect.bl_corner())};
    const dlib::point_transform_affine map = dlib::find_affine_transform(inside, outside);
    origin o{nullptr, from.nc(), static_cast<long>(part.width()), static_cast<long>(part.height()), {}, {}};

    if (!part.is_empty())
        o.corner = &from(part.top(), part.left());
    for (int i = 0; i < 2; i++) {
        o.m[i][0] = map.get_m()(i, 0);
        o.m[i][1] = map.get_m()(i, 1);
        o.b[i] = map.get_b()(i);
    }
    return o;
}

// False where dlib does something else: it takes a large face from a smaller level of the picture, and copies one that
// is upright and of the chip's size.
bool is_plain(const dlib::chip_details &details)
{
    const dlib::pyramid_down<2> half;

    return half.rect_down(details.rect).area() <= static_cast<double>(details.size()) &&
           (details.angle < 0 || details.angle > 0);
}
} // namespace

picture chip_of(const picture &from, const dlib::full_object_detection &face)
{
    constexpr double PADDING = 0.25; // of the chip, on each side
    const dlib::chip_details details = dlib::get_face_chip_details(face, CHIP_SIDE, PADDING);
    picture chip;

    if (!is_plain(details)) {
        dlib::extract_image_chip(from, details, chip);
        return chip;
    }
    const origin o = origin_of(from, details);
    auto *row = take_row;

#ifdef __x86_64__
    if (cpu::available() >= cpu::level::AVX2)
        row = take_row_wide;
#endif
    chip.set_size(CHIP_SIDE, CHIP_SIDE);
    for (int y = 0; y < static_cast<int>(CHIP_SIDE); y++)
        row(o, y, &chip(y, 0));
    return chip;
}
} // namespace dlib_recognizer
