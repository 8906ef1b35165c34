#include "plugins/common/chip.h"

#include "plugins/common/cpu.h"

#include <cstdint>
#include <cstring>
#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace common
{
namespace
{
constexpr int BYTES = 3; // of a pixel

long floor_of(double value)
{
    const long truncated = static_cast<long>(value);

    return truncated - (static_cast<double>(truncated) > value);
}

unsigned char interpolate(double right, double below, unsigned char top_left, unsigned char top_right,
                          unsigned char bottom_left, unsigned char bottom_right)
{
    return static_cast<unsigned char>((1 - below) * ((1 - right) * top_left + right * top_right) +
                                      below * ((1 - right) * bottom_left + right * bottom_right));
}

void sample_pixel(const rgb_view &from, const affine_map &map, int x, int y, unsigned char *to)
{
    const double at_x = map.m[0][0] * x + map.m[0][1] * y + map.b[0];
    const double at_y = map.m[1][0] * x + map.m[1][1] * y + map.b[1];
    const long left = floor_of(at_x), top = floor_of(at_y);

    std::memset(to, 0, BYTES);
    if (left < 0 || top < 0 || left + 1 >= from.width || top + 1 >= from.height)
        return;
    const double right = at_x - static_cast<double>(left), below = at_y - static_cast<double>(top);
    const unsigned char *a = from.rgb + top * from.stride + left * BYTES, *b = a + from.stride;

    for (int c = 0; c < BYTES; c++)
        to[c] = interpolate(right, below, a[c], a[c + BYTES], b[c], b[c + BYTES]);
}

void sample_row(const rgb_view &from, const affine_map &map, int side, int y, unsigned char *to)
{
    for (int x = 0; x < side; x++)
        sample_pixel(from, map, x, y, to + x * BYTES);
}

#ifdef __x86_64__
// AVX2 without fused multiply-add: that rounds once where the reference rounds twice.
#define TARGET_AVX2 __attribute__((target("avx2")))

TARGET_AVX2 inline __m256d bytes_to_doubles(uint32_t four)
{
    return _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(static_cast<int>(four))));
}

// Loads a pixel and its right neighbour, six bytes; the fourth element of each vector is unused.
TARGET_AVX2 inline void load_two_pixels(const unsigned char *pixel, __m256d &left, __m256d &right)
{
    uint32_t first, last;

    std::memcpy(&first, pixel, sizeof first);
    std::memcpy(&last, pixel + 2, sizeof last);
    left = bytes_to_doubles(first);
    right = bytes_to_doubles(last >> 8);
}

// The operations of interpolate() in the same order, for the three colours at once.
TARGET_AVX2 inline void interpolate_avx2(const unsigned char *top, const unsigned char *bottom, double right,
                                         double below, unsigned char *to)
{
    const __m256d to_right = _mm256_set1_pd(right), to_left = _mm256_set1_pd(1 - right);
    __m256d top_left, top_right, bottom_left, bottom_right;

    load_two_pixels(top, top_left, top_right);
    load_two_pixels(bottom, bottom_left, bottom_right);
    const __m256d above = _mm256_add_pd(_mm256_mul_pd(to_left, top_left), _mm256_mul_pd(to_right, top_right));
    const __m256d under = _mm256_add_pd(_mm256_mul_pd(to_left, bottom_left), _mm256_mul_pd(to_right, bottom_right));
    const __m128i sum = _mm256_cvttpd_epi32(
        _mm256_add_pd(_mm256_mul_pd(_mm256_set1_pd(1 - below), above), _mm256_mul_pd(_mm256_set1_pd(below), under)));
    const int bytes = _mm_cvtsi128_si32(
        _mm_shuffle_epi8(sum, _mm_setr_epi8(0, 4, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1)));

    std::memcpy(to, &bytes, BYTES);
}

// One coordinate of four neighbours of a row: its floor and its fraction.
TARGET_AVX2 inline void map_four(const double (&m)[2], double b, int x, int y, __m256d &floor, __m256d &fraction)
{
    const __m256d columns = _mm256_cvtepi32_pd(_mm_setr_epi32(x, x + 1, x + 2, x + 3));
    const __m256d at = _mm256_add_pd(
        _mm256_add_pd(_mm256_mul_pd(_mm256_set1_pd(m[0]), columns), _mm256_set1_pd(m[1] * y)), _mm256_set1_pd(b));

    floor = _mm256_floor_pd(at);
    fraction = _mm256_sub_pd(at, floor);
}

TARGET_AVX2 inline bool all_within(__m256d floor, long size)
{
    const __m256d last = _mm256_set1_pd(static_cast<double>(size - 2));

    return _mm256_movemask_pd(_mm256_and_pd(_mm256_cmp_pd(floor, _mm256_setzero_pd(), _CMP_GE_OQ),
                                            _mm256_cmp_pd(floor, last, _CMP_LE_OQ))) == 15;
}

TARGET_AVX2 void sample_row_avx2(const rgb_view &from, const affine_map &map, int side, int y, unsigned char *to)
{
    int x = 0;

    for (; x + 4 <= side; x += 4) {
        __m256d left, right, top, below;
        double rights[4], belows[4];
        int lefts[4], tops[4];

        map_four(map.m[0], map.b[0], x, y, left, right);
        map_four(map.m[1], map.b[1], x, y, top, below);
        if (!all_within(left, from.width) || !all_within(top, from.height)) {
            for (int i = 0; i < 4; i++)
                sample_pixel(from, map, x + i, y, to + (x + i) * BYTES);
            continue;
        }
        _mm256_storeu_pd(rights, right);
        _mm256_storeu_pd(belows, below);
        _mm_storeu_si128(reinterpret_cast<__m128i *>(lefts), _mm256_cvttpd_epi32(left));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(tops), _mm256_cvttpd_epi32(top));
        for (int i = 0; i < 4; i++) {
            const unsigned char *pixel = from.rgb + tops[i] * from.stride + lefts[i] * BYTES;

            interpolate_avx2(pixel, pixel + from.stride, rights[i], belows[i], to + (x + i) * BYTES);
        }
    }
    for (; x < side; x++)
        sample_pixel(from, map, x, y, to + x * BYTES);
}
#endif
} // namespace

void sample_chip(const rgb_view &from, const affine_map &map, int side, unsigned char *chip)
{
    auto *sample = sample_row;

#ifdef __x86_64__
    if (cpu::available() >= cpu::level::AVX2)
        sample = sample_row_avx2;
#endif
    for (int y = 0; y < side; y++)
        sample(from, map, side, y, chip + static_cast<long>(y) * side * BYTES);
}
} // namespace common
