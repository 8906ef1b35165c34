// Compares the convolutions of winograd.h with the definition: every tile size, the matrix product, every instruction
// set of this CPU, both layouts.
#include "plugins/dlib/network/winograd.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

using dlib_network::convolution;
using dlib_network::instructions;

namespace
{
int failures;
double largest_error;
uint32_t seed = 1;

float random_value()
{
    seed = seed * 1664525u + 1013904223u;
    return static_cast<float>(seed >> 8) / static_cast<float>(1 << 24) - 0.5f;
}

struct pictures { // [count][groups][side][side][lanes]
    int count, channels, side, lanes;
    std::vector<float> data;

    pictures(int the_count, int the_channels, int the_side, int the_lanes)
        : count(the_count), channels(the_channels), side(the_side), lanes(the_lanes),
          data(static_cast<size_t>(count * groups() * side * side * lanes))
    {
    }
    int groups() const
    {
        return (channels + lanes - 1) / lanes;
    }
    float &at(int n, int c, int y, int x)
    {
        return data[static_cast<size_t>((((n * groups() + c / lanes) * side + y) * side + x) * lanes + c % lanes)];
    }
};

double definition(const convolution &k, pictures &p, int n, int o, int y, int x)
{
    double sum = k.bias[static_cast<size_t>(o)];

    for (int i = 0; i < k.inputs; i++)
        for (int r = 0; r < k.size; r++)
            for (int c = 0; c < k.size; c++) {
                const int from_y = y * k.stride + r - k.padding, from_x = x * k.stride + c - k.padding;

                if (from_y >= 0 && from_x >= 0 && from_y < p.side && from_x < p.side)
                    sum += static_cast<double>(
                               k.weights[static_cast<size_t>(((o * k.inputs + i) * k.size + r) * k.size + c)]) *
                           static_cast<double>(p.at(n, i, from_y, from_x));
            }
    return sum;
}

convolution make(int outputs, int inputs, int size, int stride, int padding)
{
    convolution k{outputs, inputs, size, stride, padding, {}, {}};

    for (int i = 0; i < outputs * inputs * size * size; i++)
        k.weights.push_back(random_value());
    for (int i = 0; i < outputs; i++)
        k.bias.push_back(random_value());
    return k;
}

double expected(double sum, float before, dlib_network::epilogue end)
{
    if (end == dlib_network::ADD_RELU)
        sum += static_cast<double>(before);
    return end == dlib_network::LINEAR || sum > 0 ? sum : 0;
}

void compare(const convolution &k, int side, int count, int lanes, instructions with, dlib_network::epilogue end)
{
    const bool half = k.size == 7;
    const dlib_network::winograd tested(half ? dlib_network::space_to_depth(k) : k, half ? side / 2 : side, lanes,
                                        with);
    pictures from(count, k.inputs, side, lanes), folded(count, 4 * k.inputs, side / 2, lanes);
    pictures before(count, k.outputs, tested.output_side(), lanes);
    std::vector<float> scratch(tested.scratch(count), NAN);
    double worst = 0, largest = 0;

    for (int n = 0; n < count; n++)
        for (int c = 0; c < k.inputs; c++)
            for (int y = 0; y < side; y++)
                for (int x = 0; x < side; x++) {
                    from.at(n, c, y, x) = random_value();
                    if (half)
                        folded.at(n, (2 * (y % 2) + x % 2) * k.inputs + c, y / 2, x / 2) = from.at(n, c, y, x);
                }
    for (float &value : before.data)
        value = random_value();
    pictures to = before;
    to.data.push_back(42); // must not be written
    tested.run((half ? folded : from).data.data(), to.data.data(), count, end, scratch.data());
    for (int n = 0; n < count; n++)
        for (int o = 0; o < k.outputs; o++)
            for (int y = 0; y < to.side; y++)
                for (int x = 0; x < to.side; x++) {
                    const double sum = expected(definition(k, from, n, o, y, x), before.at(n, o, y, x), end);
                    const double difference = std::fabs(sum - static_cast<double>(to.at(n, o, y, x)));

                    worst = std::isfinite(difference) ? std::fmax(worst, difference) : INFINITY;
                    largest = std::fmax(largest, std::fabs(sum));
                }
    largest_error = std::fmax(largest_error, worst / largest);
    if (worst > 1.5e-3 * largest || // weights have 16 bits
        to.data.back() != 42.0f) {
        printf("%d×%d of %d→%d, side %d, %d pictures, lanes %d, instructions %d, epilogue %d: off by %g of %g\n",
               k.size, k.size, k.inputs, k.outputs, side, count, lanes, static_cast<int>(with), static_cast<int>(end),
               worst, largest);
        failures++;
    }
}
} // namespace

// The argument `quick`: fewer sizes, for an emulator.
int main(int argc, char **argv)
{
    const bool quick = argc > 1 && std::strcmp(argv[1], "quick") == 0;
    const std::vector<int> sides =
        quick ? std::vector<int>{3, 8, 13} : std::vector<int>{1, 2, 3, 4, 7, 8, 12, 13, 17, 35};
    const std::vector<int> counts = quick ? std::vector<int>{2} : std::vector<int>{1, 2, 5};
    int compared = 0;

    for (int lanes : {8, 16})
        for (int fastest = 0; fastest < 2; fastest++) {
            const instructions with = fastest ? dlib_network::instructions_for(lanes) : instructions::PLAIN;

            if (fastest && with == instructions::PLAIN)
                printf("lanes %d: this CPU has no vector instructions for them, skipped\n", lanes);
            else
                for (int side : sides)
                    for (int count : counts) {
                        compare(make(32, side < 10 ? 48 : 16, 3, 1, 1), side, count, lanes, with,
                                static_cast<dlib_network::epilogue>(side % 3));
                        compare(make(32, 3, 7, 2, 0), 2 * side + 8, count, lanes, with, dlib_network::RELU);
                        compare(make(32, 48, 3, 2, 0), side + 2, count, lanes, with, // without tiles
                                static_cast<dlib_network::epilogue>(count % 3));
                        compare(make(64, 16, 1, 1, 0), side, count, lanes, with, dlib_network::LINEAR);
                        compared += 4;
                    }
        }
    if (!quick)
        compare(make(64, 256, 3, 1, 1), 24, 3, 8, dlib_network::instructions_for(8),
                dlib_network::ADD_RELU); // in several rounds
    printf("%d convolutions compared, by %.1e of the largest output at most, %d differ\n", compared + !quick,
           largest_error, failures);
    return failures > 0;
}
