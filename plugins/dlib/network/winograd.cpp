#include "plugins/dlib/network/winograd.h"

#include "plugins/dlib/cpu.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>

#define INLINE inline __attribute__((always_inline))

namespace fast
{
namespace
{
constexpr size_t CACHE =
    256UL << 10;            // bytes of tiles at a time: they, their products and the weights share a second-level cache
constexpr int LINE = 16;    // floats of a cache line
constexpr int READING = 3;  // products that reading a weight counts as: reckoned from 88 GFLOP/s and 60 GB/s
constexpr int AHEAD = 4096; // bytes at least between weights that are asked for and those that are used

struct layer { // what the arithmetic knows of it
    int inputs, outputs, in, out, padding;
    int channels, filter, stride; // without tiles, inputs are all channels of all of a filter's pixels
    const int32_t *weights;
    const float *measures, *bias;
};

// So many floats in an odd number of cache lines: the points of a tile, that far apart, do not meet in one set.
INLINE size_t odd_lines(int floats)
{
    return static_cast<size_t>(((floats + LINE - 1) / LINE) | 1) * LINE;
}

namespace plain8
{
#define LANES    8
#define TOGETHER 3
#include "plugins/dlib/network/winograd_tiles.h"
#undef LANES
#undef TOGETHER
} // namespace plain8
namespace plain16 // as AVX-512 does it, also to test that where there is none
{
#define LANES    16
#define TOGETHER 12
#include "plugins/dlib/network/winograd_tiles.h"
#undef LANES
#undef TOGETHER
} // namespace plain16
#ifdef __x86_64__
#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2
{
#define LANES    8
#define TOGETHER 6
#include "plugins/dlib/network/winograd_tiles.h"
#undef LANES
#undef TOGETHER
} // namespace avx2
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f")
namespace avx512
{
#define LANES    16
#define TOGETHER 12
#include "plugins/dlib/network/winograd_tiles.h"
#undef LANES
#undef TOGETHER
} // namespace avx512
#pragma GCC pop_options
#endif

// Tiles of how many outputs in one direction cost least: products and weights read, of one picture.
int best_tile(int filter, int side)
{
    int best = 0, least = 0;

    if (filter == 4)
        return 5;
    for (int tile : {2, 3, 4, 6}) {
        const int across = (side + tile - 1) / tile, points = tile + 2;
        const int cost = points * points * (across * across + READING);

        if (best == 0 || cost < least) {
            best = tile;
            least = cost;
        }
    }
    return best;
}

// G: row i is (1, p, p², …) of point i, by a factor that makes up for the whole numbers in Bᵀ; of ∞ the last alone.
void fill(double (&g)[8][4], int points, int filter)
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
void transform(const float *w, const double (&g)[8][4], int filter, int points, double *to)
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
        throw std::runtime_error("no Winograd for this convolution");
    if (k.stride == 1 && (k.size == 3 || k.size == 4))
        make_tiles(k);
    else if (k.padding == 0 && channels % lanes == 0)
        make_products(k);
    else
        throw std::runtime_error("no Winograd for this convolution");
}

void winograd::make_room()
{
    weights.resize(static_cast<size_t>(points * points) * static_cast<size_t>(inputs * outputs / 2));
    measures.resize(static_cast<size_t>(points * points * outputs));
}

// A filter's pixels one after another, all channels of each.
void winograd::make_products(const convolution &k)
{
    const int pixels = k.size * k.size;

    inputs = channels * pixels;
    make_room();
    for (int o = 0; o < outputs; o++) {
        std::vector<double> u(static_cast<size_t>(inputs));

        for (int i = 0; i < inputs; i++)
            u[static_cast<size_t>(i)] = static_cast<double>(
                k.weights[static_cast<size_t>((o * channels + i % channels) * pixels + i / channels)]);
        keep(o, u);
    }
}

void winograd::make_tiles(const convolution &k)
{
    double g[8][4] = {};

    tile = best_tile(k.size, out);
    points = tile + k.size - 1;
    fill(g, points, k.size);
    make_room();
    for (int o = 0; o < outputs; o++) {
        std::vector<double> u(static_cast<size_t>(inputs * points * points));

        for (int i = 0; i < inputs; i++)
            transform(&k.weights[static_cast<size_t>((o * inputs + i) * k.size * k.size)], g, k.size, points,
                      &u[static_cast<size_t>(i * points * points)]);
        keep(o, u);
    }
}

// The weights of output `o`, u: [inputs][points²]: numbers of 32 bits, of which 16 are kept. Of one point and output
// all have one measure. Those of the first `lanes` outputs of each 2 × lanes are the lower halves of the words, and are
// put in first: what they add to the upper ones is taken off those.
void winograd::keep(int o, const std::vector<double> &u)
{
    const int squared = points * points, row = o % lanes;
    const bool upper = o / lanes % 2 == 1;

    for (int p = 0; p < squared; p++) {
        const int place = o / (2 * lanes) * squared + p;
        double largest = 0;

        for (int i = 0; i < inputs; i++)
            largest = std::max(largest, std::fabs(u[static_cast<size_t>(i * squared + p)]));
        const double measure = largest > 0 ? largest / (32766.0 * 65536.0) : 1;

        measures[static_cast<size_t>(place * 2 * lanes + o % (2 * lanes))] = static_cast<float>(measure);
        for (int i = 0; i < inputs; i++) {
            int32_t &word = weights[static_cast<size_t>((place * inputs + i) * lanes + row)];
            const double number = u[static_cast<size_t>(i * squared + p)] / measure;

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
    const int most = tiles_at_a_time(count), room = (inputs + lanes - 1) / lanes * lanes;

    if (points == 1)
        return static_cast<size_t>(count * out * out) * static_cast<size_t>(inputs + 2 * lanes);
    return static_cast<size_t>(points * points) * (odd_lines(most * room) + odd_lines(most * 2 * lanes));
}

void winograd::run(const float *from, float *to, int count, ending end, float *scratch) const
{
    const layer l{inputs,         outputs,         in,         out, padding, channels, filter, stride,
                  weights.data(), measures.data(), bias.data()};
    auto *way = lanes == 8 ? plain8::run : plain16::run;

#ifdef __x86_64__
    if (with == instructions::AVX2 && lanes == 8)
        way = avx2::run;
    if (with == instructions::AVX512 && lanes == 16)
        way = avx512::run;
#endif
    way(l, tile, points, from, to, count, end, tiles_at_a_time(count), scratch);
}

convolution halved(const convolution &k)
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
} // namespace fast
