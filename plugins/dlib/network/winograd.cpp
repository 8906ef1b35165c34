#include "plugins/dlib/network/winograd.h"

#include "plugins/common/cpu.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>

#define INLINE inline __attribute__((always_inline))

namespace dlib_network
{
namespace
{
constexpr size_t CACHE =
    256UL << 10;         // bytes of tiles at a time: they, their products and the weights share a second-level cache
constexpr int LINE = 16; // floats of a cache line
constexpr int READ_COST = 3;         // of a weight, in multiplications: estimated from 88 GFLOP/s and 60 GB/s
constexpr int PREFETCH_BYTES = 4096; // least distance between prefetched and used weights

struct layer { // parameters of the kernels
    int inputs, outputs, in, out, padding;
    int channels, filter, stride; // as a matrix product, inputs = channels × filter²
    const int32_t *weights;
    const float *scales, *bias;
};

// Rounds up to an odd number of cache lines: the points of a tile, so far apart, map to different cache sets.
INLINE size_t odd_lines(int floats)
{
    return static_cast<size_t>(((floats + LINE - 1) / LINE) | 1) * LINE;
}

namespace plain8
{
#define LANES         8
#define TILES_AT_ONCE 3
#include "plugins/dlib/network/winograd_tiles.h"
#undef LANES
#undef TILES_AT_ONCE
} // namespace plain8
namespace plain16 // the layout of AVX-512 for tests on other CPUs
{
#define LANES         16
#define TILES_AT_ONCE 12
#include "plugins/dlib/network/winograd_tiles.h"
#undef LANES
#undef TILES_AT_ONCE
} // namespace plain16
#ifdef __x86_64__
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
namespace avx2
{
#define LANES         8
#define TILES_AT_ONCE 6
#include "plugins/dlib/network/winograd_tiles.h"
#undef LANES
#undef TILES_AT_ONCE
} // namespace avx2
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f")
#endif
namespace avx512
{
#define LANES         16
#define TILES_AT_ONCE 12
#include "plugins/dlib/network/winograd_tiles.h"
#undef LANES
#undef TILES_AT_ONCE
} // namespace avx512
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

// The tile size with the least cost, in multiplications and weight reads for one image.
int best_tile(int filter, int side)
{
    int best = 0, best_cost = 0;

    if (filter == 4)
        return 5;
    for (int tile : {2, 3, 4, 6}) {
        const int across = (side + tile - 1) / tile, points = tile + 2;
        const int cost = points * points * (across * across + READ_COST);

        if (best == 0 || cost < best_cost) {
            best = tile;
            best_cost = cost;
        }
    }
    return best;
}

// The matrix G: row i is (1, p, p², …) of point i, scaled so that Bᵀ has integer entries; the row of ∞ is (0, …, 0, 1).
void make_filter_matrix(double (&g)[8][4], int points, int filter)
{
    static const double at[] = {0, 1, -1, 2, -2, 0.5, -0.5};
    static const double factors[4][7] = {{1, 0.5, 0.5},
                                         {0.5, -0.5, -1 / 6.0, 1 / 6.0},
                                         {1 / 4.0, -1 / 6.0, -1 / 6.0, 1 / 24.0, 1 / 24.0},
                                         {1, -2 / 9.0, -2 / 9.0, 1 / 90.0, 1 / 90.0, 32 / 45.0, 32 / 45.0}};

    for (int i = 0; i < points; i++)
        for (int k = 0; k < filter; k++)
            if (i == points - 1)
                g[i][k] = k == filter - 1 ? 1 : 0;
            else
                g[i][k] = k == 0 ? factors[points < 7 ? points - 4 : 3][i] : g[i][k - 1] * at[i];
}

// G w Gᵀ of one filter: to[points²].
void transform_filter(const float *w, const double (&g)[8][4], int filter, int points, double *to)
{
    double half[8][4] = {};

    for (int y = 0; y < points; y++)
        for (int x = 0; x < filter; x++)
            for (int j = 0; j < filter; j++)
                half[y][x] += g[y][j] * static_cast<double>(w[j * filter + x]);
    for (int p = 0; p < points * points; p++) {
        to[p] = 0;
        for (int j = 0; j < filter; j++)
            to[p] += half[p / points][j] * g[p % points][j];
    }
}
} // namespace

instructions instructions_for(int lanes)
{
#ifdef __x86_64__
    if (lanes == 16 && cpu::available() >= cpu::level::AVX512)
        return instructions::AVX512;
    if (lanes == 8 && cpu::available() >= cpu::level::AVX2)
        return instructions::AVX2;
#endif
    return instructions::PLAIN;
}

winograd::winograd(const convolution &k, int input_side, int the_lanes, instructions the_instructions)
    : inputs(k.inputs), outputs(k.outputs), in(input_side), out((input_side + 2 * k.padding - k.size) / k.stride + 1),
      padding(k.padding), channels(k.inputs), filter(k.size), stride(k.stride), lanes(the_lanes), tile(1), points(1),
      with(the_instructions), bias(k.bias.begin(), k.bias.end())
{
    if (channels % 4 != 0 || outputs % (2 * lanes) != 0 || (lanes != 8 && lanes != 16))
        throw std::runtime_error("this convolution is not supported");
    if (k.stride == 1 && (k.size == 3 || k.size == 4))
        prepare_tiles(k);
    else if (k.padding == 0 && channels % lanes == 0)
        prepare_products(k);
    else
        throw std::runtime_error("this convolution is not supported");
}

void winograd::allocate()
{
    weights.resize(static_cast<size_t>(points * points) * static_cast<size_t>(inputs * outputs / 2));
    scales.resize(static_cast<size_t>(points * points * outputs));
}

// The order of gather_inputs(): filter pixels, all channels of each.
void winograd::prepare_products(const convolution &k)
{
    const int pixels = k.size * k.size;

    inputs = channels * pixels;
    allocate();
    for (int o = 0; o < outputs; o++) {
        std::vector<double> u(static_cast<size_t>(inputs));

        for (int i = 0; i < inputs; i++)
            u[static_cast<size_t>(i)] = static_cast<double>(
                k.weights[static_cast<size_t>((o * channels + i % channels) * pixels + i / channels)]);
        quantize_output(o, u);
    }
}

void winograd::prepare_tiles(const convolution &k)
{
    double g[8][4] = {};

    tile = best_tile(k.size, out);
    points = tile + k.size - 1;
    make_filter_matrix(g, points, k.size);
    allocate();
    for (int o = 0; o < outputs; o++) {
        std::vector<double> u(static_cast<size_t>(inputs * points * points));

        for (int i = 0; i < inputs; i++)
            transform_filter(&k.weights[static_cast<size_t>((o * inputs + i) * k.size * k.size)], g, k.size, points,
                             &u[static_cast<size_t>(i * points * points)]);
        quantize_output(o, u);
    }
}

// Quantizes u, [inputs][points²], the weights of output `o`, to 16 bits; the weights of one point and output share a
// scale. Outputs of the first `lanes` of each 2 × lanes are the lower halves of the words and are stored first: the
// upper halves are rounded so that they make up for what the lower ones add to the word.
void winograd::quantize_output(int o, const std::vector<double> &u)
{
    const int squared = points * points, row = o % lanes;
    const bool upper = o / lanes % 2 == 1;

    for (int p = 0; p < squared; p++) {
        const int place = o / (2 * lanes) * squared + p;
        double largest = 0;

        for (int i = 0; i < inputs; i++)
            largest = std::max(largest, std::fabs(u[static_cast<size_t>(i * squared + p)]));
        const double scale = largest > 0 ? largest / (32766.0 * 65536.0) : 1;

        scales[static_cast<size_t>(place * 2 * lanes + o % (2 * lanes))] = static_cast<float>(scale);
        for (int i = 0; i < inputs; i++) {
            int32_t &word = weights[static_cast<size_t>((place * inputs + i) * lanes + row)];
            const double number = u[static_cast<size_t>(i * squared + p)] / scale;

            if (upper)
                word += static_cast<int32_t>(std::lround((number - word) / 65536)) * 65536;
            else
                word = static_cast<int32_t>(std::lround(number / 65536)) & 0xffff;
        }
    }
}

int winograd::tiles_at_a_time(int count) const
{
    const int across = (out + tile - 1) / tile;
    const size_t bytes = static_cast<size_t>(points * points * inputs) * sizeof(float);

    return std::min(across * across * count, std::max(1, static_cast<int>(CACHE / bytes)));
}

size_t winograd::scratch(int count) const
{
    const int max_tiles = tiles_at_a_time(count), channels_padded = (inputs + lanes - 1) / lanes * lanes;

    if (points == 1)
        return static_cast<size_t>(count * out * out) * static_cast<size_t>(inputs + 2 * lanes);
    return static_cast<size_t>(points * points) *
           (odd_lines(max_tiles * channels_padded) + odd_lines(max_tiles * 2 * lanes));
}

void winograd::run(const float *from, float *to, int count, epilogue end, float *scratch) const
{
    const layer l{inputs,         outputs,       in,         out, padding, channels, filter, stride,
                  weights.data(), scales.data(), bias.data()};
    auto *kernel = lanes == 8 ? plain8::run : plain16::run;

#ifdef __x86_64__
    if (with == instructions::AVX2 && lanes == 8)
        kernel = avx2::run;
    if (with == instructions::AVX512 && lanes == 16)
        kernel = avx512::run;
#endif
    kernel(l, tile, points, from, to, count, end, tiles_at_a_time(count), scratch);
}

convolution space_to_depth(const convolution &k)
{
    const int size = (k.size + 1) / 2;
    convolution half{k.outputs, 4 * k.inputs, size, 1, 0, {}, k.bias};

    half.weights.resize(static_cast<size_t>(half.outputs * half.inputs * size * size));
    for (int o = 0; o < k.outputs; o++)
        for (int i = 0; i < k.inputs; i++)
            for (int y = 0; y < k.size; y++)
                for (int x = 0; x < k.size; x++) {
                    const int channel = (2 * (y % 2) + x % 2) * k.inputs + i;

                    half.weights[static_cast<size_t>(((o * half.inputs + channel) * size + y / 2) * size + x / 2)] =
                        k.weights[static_cast<size_t>(((o * k.inputs + i) * k.size + y) * k.size + x)];
                }
    return half;
}
} // namespace dlib_network
