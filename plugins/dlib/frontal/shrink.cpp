#include "plugins/dlib/frontal/shrink.h"

#include "plugins/dlib/cpu.h"

#include <dlib/image_transforms.h>

#include <algorithm>
#include <cmath>
#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace dlib_recognizer
{
namespace
{
constexpr long LEAST = 32; // columns: of narrower pictures there are not sixteen pixels for every eight

struct rows {
    const unsigned char *top, *bottom;
    double below; // how far below the upper one
};

#ifdef __x86_64__
#define WIDE __attribute__((target("avx2")))

// The first and the last eight of sixteen bytes, as numbers.
WIDE inline __m256 first_of(__m128i bytes)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

WIDE inline __m256 last_of(__m128i bytes)
{
    return first_of(_mm_unpackhi_epi64(bytes, bytes));
}

WIDE inline __m128i around(const unsigned char *at, __m128i places)
{
    return _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i *>(at)), places);
}

// Eight columns: the products and their sum in dlib's order.
WIDE inline void eight(const rows &r, const shrinker::columns &c, unsigned char *to)
{
    const __m256 below = _mm256_set1_ps(static_cast<float>(r.below));
    const __m256 above = _mm256_set1_ps(static_cast<float>(1 - r.below));
    const __m128i places = _mm_loadu_si128(reinterpret_cast<const __m128i *>(c.places));
    const __m256 f = _mm256_loadu_ps(c.fraction), g = _mm256_sub_ps(_mm256_set1_ps(1), f);
    const __m128i top = around(r.top + c.first, places), bottom = around(r.bottom + c.first, places);
    __m256 sum = _mm256_mul_ps(_mm256_mul_ps(above, g), first_of(top));

    sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_mul_ps(above, f), last_of(top)));
    sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_mul_ps(below, g), first_of(bottom)));
    sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_mul_ps(below, f), last_of(bottom)));
    const __m256i whole = _mm256_cvttps_epi32(_mm256_add_ps(sum, _mm256_set1_ps(0.5f)));
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));

    _mm_storel_epi64(reinterpret_cast<__m128i *>(to), _mm_packus_epi16(words, words));
}

WIDE void row(const rows &r, const std::vector<shrinker::columns> &all, unsigned char *to)
{
    for (const shrinker::columns &c : all)
        eight(r, c, to + c.at);
}
#else
void row(const rows &, const std::vector<shrinker::columns> &, unsigned char *)
{
}
#endif

// dlib's way for the columns that fill no four: in double, and cut off.
unsigned char one(const rows &r, int left, int right, float f)
{
    const float top = (1 - f) * r.top[left] + f * r.top[right];
    const float bottom = (1 - f) * r.bottom[left] + f * r.bottom[right];
    const auto sum =
        static_cast<float>((1 - r.below) * static_cast<double>(top) + r.below * static_cast<double>(bottom));

    return static_cast<unsigned char>(std::min(255.0f, sum));
}

} // namespace

// Where dlib's sums of steps come to, rounding errors and all.
void shrinker::place_columns(long from, long to)
{
    const double step = static_cast<double>(from - 1) / static_cast<double>(std::max(to - 1, 1L));
    double x = -4 * step;
    float four[4];

    left.resize(static_cast<size_t>(to) + 4);
    fraction.resize(static_cast<size_t>(to) + 4);
    for (int i = 0; i < 4; i++)
        four[i] = static_cast<float>(x + i * step);
    for (fours = 0;; fours += 4) {
        for (size_t i = 0; i < 4; i++) {
            four[i] += static_cast<float>(4 * step);
            left[static_cast<size_t>(fours) + i] = static_cast<int>(four[i]);
            fraction[static_cast<size_t>(fours) + i] = four[i] - static_cast<float>(static_cast<int>(four[i]));
        }
        if (left[static_cast<size_t>(fours) + 3] + 1 >= from)
            break;
    }
    x = -step + static_cast<double>(fours) * step;
    for (auto c = static_cast<size_t>(fours); c < static_cast<size_t>(to); c++) {
        x += step;
        left[c] = static_cast<int>(std::floor(x));
        fraction[c] = static_cast<float>(x - left[c]);
    }
}

// Groups of eight of the first `fours` columns; the last is of columns that were there before, rather than of fewer.
void shrinker::group(long from)
{
    eights.clear();
    for (long x = 0; x < fours; x += 8) {
        columns c{};

        c.at = std::min(x, fours - 8);
        c.first = std::min<long>(left[static_cast<size_t>(c.at)], from - 16);
        for (size_t i = 0; i < 8; i++) {
            const auto column = static_cast<size_t>(c.at) + i;

            c.places[i] = static_cast<unsigned char>(left[column] - c.first);
            c.places[8 + i] = static_cast<unsigned char>(c.places[i] + 1);
            c.fraction[i] = fraction[column];
        }
        eights.push_back(c);
    }
}

void shrinker::operator()(const grey_picture &from, grey_picture &to)
{
    if (cpu::available() < cpu::level::AVX2 || from.nc() < LEAST) {
        dlib::pyramid_down<6>()(from, to);
        return;
    }
    to.set_size(5 * from.nr() / 6, 5 * from.nc() / 6);
    if (to.size() == 0)
        return;
    place_columns(from.nc(), to.nc());
    group(from.nc());
    const double step = static_cast<double>(from.nr() - 1) / static_cast<double>(std::max(to.nr() - 1, 1L));
    const int last = static_cast<int>(from.nc()) - 1;
    double y = -step;

    for (long r = 0; r < to.nr(); r++) {
        y += step;
        const long top = static_cast<long>(std::floor(y));
        const rows lines{&from(top, 0), &from(std::min(top + 1, from.nr() - 1), 0), y - static_cast<double>(top)};

        row(lines, eights, &to(r, 0));
        for (long c = fours; c < to.nc(); c++) {
            const auto i = static_cast<size_t>(c);

            to(r, c) = one(lines, left[i], std::min(left[i] + 1, last), fraction[i]);
        }
    }
}
} // namespace dlib_recognizer
