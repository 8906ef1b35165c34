#include "plugins/dlib/frontal/pyramid.h"

#include "plugins/common/cpu.h"

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
constexpr long MIN_COLUMNS = 32; // narrower images do not have sixteen source pixels for each group

struct rows {
    const unsigned char *top, *bottom;
    double below; // position between them, 0 to 1
};

#ifdef __x86_64__
#define TARGET_AVX2 __attribute__((target("avx2")))

// The first and the last eight of sixteen bytes as floats.
TARGET_AVX2 inline __m256 first_floats(__m128i bytes)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

TARGET_AVX2 inline __m256 last_floats(__m128i bytes)
{
    return first_floats(_mm_unpackhi_epi64(bytes, bytes));
}

TARGET_AVX2 inline __m128i load_neighbours(const unsigned char *at, __m128i places)
{
    return _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i *>(at)), places);
}

// Eight columns, with the products and sums in dlib's order.
TARGET_AVX2 inline void reduce_group(const rows &r, const pyramid_reducer::column_group &c, unsigned char *to)
{
    const __m256 below = _mm256_set1_ps(static_cast<float>(r.below));
    const __m256 above = _mm256_set1_ps(static_cast<float>(1 - r.below));
    const __m128i places = _mm_loadu_si128(reinterpret_cast<const __m128i *>(c.places));
    const __m256 f = _mm256_loadu_ps(c.fraction), g = _mm256_sub_ps(_mm256_set1_ps(1), f);
    const __m128i top = load_neighbours(r.top + c.source, places),
                  bottom = load_neighbours(r.bottom + c.source, places);
    __m256 sum = _mm256_mul_ps(_mm256_mul_ps(above, g), first_floats(top));

    sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_mul_ps(above, f), last_floats(top)));
    sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_mul_ps(below, g), first_floats(bottom)));
    sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_mul_ps(below, f), last_floats(bottom)));
    const __m256i whole = _mm256_cvttps_epi32(_mm256_add_ps(sum, _mm256_set1_ps(0.5f)));
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));

    _mm_storel_epi64(reinterpret_cast<__m128i *>(to), _mm_packus_epi16(words, words));
}

TARGET_AVX2 void reduce_row(const rows &r, const std::vector<pyramid_reducer::column_group> &all, unsigned char *to)
{
    for (const pyramid_reducer::column_group &c : all)
        reduce_group(r, c, to + c.target);
}
#else
void reduce_row(const rows &, const std::vector<pyramid_reducer::column_group> &, unsigned char *)
{
}
#endif

// A column that does not fill a vector: dlib computes it in double and truncates.
unsigned char reduce_column(const rows &r, int left, int right, float f)
{
    const float top = (1 - f) * r.top[left] + f * r.top[right];
    const float bottom = (1 - f) * r.bottom[left] + f * r.bottom[right];
    const auto sum =
        static_cast<float>((1 - r.below) * static_cast<double>(top) + r.below * static_cast<double>(bottom));

    return static_cast<unsigned char>(std::min(255.0f, sum));
}

} // namespace

// Positions as dlib computes them, by repeated addition with its rounding errors.
void pyramid_reducer::compute_positions(long from, long to)
{
    const double step = static_cast<double>(from - 1) / static_cast<double>(std::max(to - 1, 1L));
    double x = -4 * step;
    float four[4];

    left.resize(static_cast<size_t>(to) + 4);
    fraction.resize(static_cast<size_t>(to) + 4);
    for (int i = 0; i < 4; i++)
        four[i] = static_cast<float>(x + i * step);
    for (vector_columns = 0;; vector_columns += 4) {
        for (size_t i = 0; i < 4; i++) {
            four[i] += static_cast<float>(4 * step);
            left[static_cast<size_t>(vector_columns) + i] = static_cast<int>(four[i]);
            fraction[static_cast<size_t>(vector_columns) + i] = four[i] - static_cast<float>(static_cast<int>(four[i]));
        }
        if (left[static_cast<size_t>(vector_columns) + 3] + 1 >= from)
            break;
    }
    x = -step + static_cast<double>(vector_columns) * step;
    for (auto c = static_cast<size_t>(vector_columns); c < static_cast<size_t>(to); c++) {
        x += step;
        left[c] = static_cast<int>(std::floor(x));
        fraction[c] = static_cast<float>(x - left[c]);
    }
}

// Groups of eight of the first `vector_columns` columns; the last group overlaps the one before.
void pyramid_reducer::make_groups(long from)
{
    groups.clear();
    for (long x = 0; x < vector_columns; x += 8) {
        column_group c{};

        c.target = std::min(x, vector_columns - 8);
        c.source = std::min<long>(left[static_cast<size_t>(c.target)], from - 16);
        for (size_t i = 0; i < 8; i++) {
            const auto column = static_cast<size_t>(c.target) + i;

            c.places[i] = static_cast<unsigned char>(left[column] - c.source);
            c.places[8 + i] = static_cast<unsigned char>(c.places[i] + 1);
            c.fraction[i] = fraction[column];
        }
        groups.push_back(c);
    }
}

void pyramid_reducer::operator()(const grey_image &from, grey_image &to)
{
    if (cpu::available() < cpu::level::AVX2 || from.nc() < MIN_COLUMNS) {
        dlib::pyramid_down<6>()(from, to);
        return;
    }
    to.set_size(5 * from.nr() / 6, 5 * from.nc() / 6);
    if (to.size() == 0)
        return;
    compute_positions(from.nc(), to.nc());
    make_groups(from.nc());
    const double step = static_cast<double>(from.nr() - 1) / static_cast<double>(std::max(to.nr() - 1, 1L));
    const int last = static_cast<int>(from.nc()) - 1;
    double y = -step;

    for (long r = 0; r < to.nr(); r++) {
        y += step;
        const long top = static_cast<long>(std::floor(y));
        const rows lines{&from(top, 0), &from(std::min(top + 1, from.nr() - 1), 0), y - static_cast<double>(top)};

        reduce_row(lines, groups, &to(r, 0));
        for (long c = vector_columns; c < to.nc(); c++) {
            const auto i = static_cast<size_t>(c);

            to(r, c) = reduce_column(lines, left[i], std::min(left[i] + 1, last), fraction[i]);
        }
    }
}
} // namespace dlib_recognizer
