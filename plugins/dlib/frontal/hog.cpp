#include "plugins/dlib/frontal/hog.h"

#include "plugins/dlib/frontal/eight.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace hog
{
namespace
{
typedef int v8i __attribute__((vector_size(32)));

INLINE v8 magnitude(v8 v) // without the signs
{
    const v8i bits = (v8i)v & 0x7fffffff;

    return (v8)bits;
}

// --- gradients ---

// dlib's unit vectors of the first quadrant, to four digits. Those of the second mirror them.
constexpr float UNIT_X[5] = {1.0000f, 0.9397f, 0.7660f, 0.500f, 0.1736f};
constexpr float UNIT_Y[5] = {0.0000f, 0.3420f, 0.6428f, 0.8660f, 0.9848f};

// Of eight pixels of a row, and the rows above and below it: which of 18 directions is nearest, counted from the right,
// 20° each, and the squared length. The nearest of 0° to 80° is found first, of what the gradient is in the first
// quadrant.
INLINE void gradient(const float *above, const float *row, const float *below_it, v8i &direction, v8 &length)
{
    const v8 x = load(row + 1) - load(row - 1), y = load(below_it) - load(above);
    const v8 right = magnitude(x), up = magnitude(y);
    v8 best = all(0);

    direction = v8i{};
    for (int d = 0; d < 5; d++) {
        const v8 along = right * UNIT_X[d] + up * UNIT_Y[d];
        const v8i better = along > best;

        best = better ? along : best;
        direction = better ? v8i{} + d : direction;
    }
    const v8i below = y < 0, mirrored = below ? x > 0 : x < 0;

    direction = mirrored ? 9 - direction : direction;
    direction += below ? v8i{} + 9 : v8i{};
    direction -= direction > 17 ? v8i{} + 18 : v8i{};
    length = x * x + y * y;
}

INLINE void widen(const unsigned char *from, size_t n, float *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
}

// Each pixel's length is shared among the two cells whose middles it lies between: what the left and the right one get.
INLINE void share(const float *squares, size_t n, float *lefts, float *rights)
{
    constexpr float to_the_right[CELL] = {0.5625f, 0.6875f, 0.8125f, 0.9375f, 0.0625f, 0.1875f, 0.3125f, 0.4375f};

    for (size_t x = 0; x < n; x += CELL)
        for (size_t i = 0; i < CELL; i++) {
            const float length = std::sqrt(squares[x + i]);

            rights[x + i] = to_the_right[i] * length;
            lefts[x + i] = length - rights[x + i];
        }
}

// One row's votes, by cell and direction. Neighbours mostly vote for the same: they take turns at two ballots, so that
// one addition need not wait for another.
INLINE void vote(const features &f, int from, int to, float *line, size_t ballot)
{
    const float *lefts = f.lefts.data(), *rights = f.rights.data();
    const int *directions = f.directions.data();

    for (int x = from; x < to;) {
        const int end = std::min((x + CELL / 2) / CELL * CELL + CELL / 2, to); // of those between the same two cells
        float *cell = line + static_cast<size_t>((x + CELL / 2) / CELL) * DIRECTIONS_ROOM;

        for (; x < end; x++) {
            float *bin = cell + static_cast<size_t>(x & 1) * ballot + directions[x];

            bin[0] += lefts[x];
            bin[DIRECTIONS_ROOM] += rights[x];
        }
    }
}

// Gradients of row y, from 1 to `right`. `f.pixels` holds the rows y - 1 and y, each at its number modulo three.
INLINE void gradients(const unsigned char *next, int columns, int y, int right, features &f)
{
    const size_t room = f.squares.size();
    float *rows[3];

    for (int i = 0; i < 3; i++)
        rows[i] = &f.pixels[static_cast<size_t>(y - 1 + i) % 3 * room];
    widen(next, static_cast<size_t>(columns), rows[2]);
    for (int x = 1; x < right; x += 8) {
        const int n = std::min(x, right - 8); // the last ones again, rather than fewer
        v8i direction;
        v8 square;

        gradient(rows[0] + n, rows[1] + n, rows[2] + n, direction, square);
        store(&f.squares[static_cast<size_t>(n)], square);
        std::memcpy(&f.directions[static_cast<size_t>(n)], &direction, sizeof direction);
    }
}

// The histograms of (cells_y + 2) × (cells_x + 2) cells: one around the picture takes what falls outside.
INLINE void count(const unsigned char *grey, int columns, int cells_y, int cells_x, int rows, features &f)
{
    const int bottom = std::min(cells_y * CELL, rows) - 1, right = std::min(cells_x * CELL, columns) - 1;
    const size_t row = static_cast<size_t>(cells_x + 2) * DIRECTIONS_ROOM, wide = static_cast<size_t>(columns);
    const size_t room = (wide + CELL) / CELL * CELL;

    f.histograms.assign(row * static_cast<size_t>(cells_y + 2), 0.0f);
    f.line.resize(2 * row);
    f.pixels.resize(3 * room);
    for (std::vector<float> *one : {&f.squares, &f.lefts, &f.rights})
        one->resize(room);
    f.directions.resize(room);
    widen(grey, wide, f.pixels.data());
    widen(grey + wide, wide, &f.pixels[room]);
    for (int y = 1; y < bottom; y++) {
        const int place = y + CELL / 2;
        const float low = (static_cast<float>(place % CELL) + 0.5f) / CELL;
        float *above = &f.histograms[static_cast<size_t>(place / CELL) * row], *below = above + row;

        gradients(grey + static_cast<size_t>(y + 1) * wide, columns, y, right, f);
        share(f.squares.data(), room, f.lefts.data(), f.rights.data());
        std::memset(f.line.data(), 0, f.line.size() * sizeof(float));
        vote(f, 1, right, f.line.data(), row);
        for (size_t i = 0; i < row; i += 8) {
            const v8 votes = load(&f.line[i]) + load(&f.line[row + i]);

            store(above + i, load(above + i) + votes * (1 - low));
            store(below + i, load(below + i) + votes * low);
        }
    }
}

// --- features ---

INLINE float sum(v8 v)
{
    return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

INLINE float energy(const float *cell) // of both senses of each direction together
{
    float e = 0;

    for (int d = 0; d < 9; d++)
        e += (cell[d] + cell[d + 9]) * (cell[d] + cell[d + 9]);
    return e;
}

// `norm`: of the cell, in rows of `wide`; the four blocks of 2×2 cells that it belongs to, in dlib's order.
INLINE void block_norms(const float *norm, size_t wide, float out[4])
{
    const float *up = norm - wide, *down = norm + wide;

    out[0] = norm[0] + norm[1] + down[0] + down[1];
    out[1] = up[0] + up[1] + norm[0] + norm[1];
    out[2] = norm[-1] + norm[0] + down[-1] + down[0];
    out[3] = up[-1] + up[0] + norm[-1] + norm[0];
}

// One cell's histogram, cut off and scaled by each of its blocks, into the planes at `to`.
INLINE void describe(const float *cell, const float blocks[4], float *to, size_t plane)
{
    float both[16] = {0}, out[DIRECTIONS_ROOM], textures[4], mosts[4], scales[4];
    v8 sums[3] = {}, sums_both[2] = {};

    for (int d = 0; d < 9; d++)
        both[d] = cell[d] + cell[d + 9];
    for (int k = 0; k < 4; k++) {
        mosts[k] = 0.2f * std::sqrt(blocks[k] + 0.0001f);
        scales[k] = 0.1f / mosts[k];
    }
    for (int k = 0; k < 4; k++) {
        const float most = mosts[k], scale = scales[k];
        v8 texture = all(0);

        for (int i = 0; i < 3; i++) {
            const v8 h = load(cell + 8 * i), cut = (h < most ? h : all(most)) * scale;

            sums[i] += cut;
            texture += cut;
        }
        for (int i = 0; i < 2; i++) {
            const v8 h = load(both + 8 * i);

            sums_both[i] += (h < most ? h : all(most)) * scale;
        }
        textures[k] = sum(texture) * 2 * 0.2357f;
    }
    for (int i = 0; i < 3; i++)
        store(out + 8 * i, sums[i]);
    for (int d = 0; d < DIRECTIONS; d++)
        to[static_cast<size_t>(d) * plane] = out[d];
    for (int i = 0; i < 2; i++)
        store(out + 8 * i, sums_both[i]);
    for (int d = 0; d < 9; d++)
        to[static_cast<size_t>(DIRECTIONS + d) * plane] = out[d];
    for (int k = 0; k < 4; k++)
        to[static_cast<size_t>(DIRECTIONS + 9 + k) * plane] = textures[k];
}

INLINE void extract_with(const unsigned char *grey, int rows, int columns, features &f)
{
    const int cells_y = (rows + CELL / 2) / CELL, cells_x = (columns + CELL / 2) / CELL;
    const int before = (WINDOW - 1) / 2; // cells of zeros above and to the left, as dlib pads
    const auto wide = static_cast<size_t>(cells_x + 2);

    f.height = f.width = 0;
    if (cells_y < 3 || cells_x < 3)
        return;
    f.height = cells_y - 2;
    f.width = cells_x - 2;
    f.stride = static_cast<size_t>((f.width + 7) / 8 * 8 + WINDOW + 7) / 8 * 8;
    f.plane = f.stride * static_cast<size_t>(f.height + WINDOW - 1);
    f.values.resize(f.plane * PLANES);
    std::memset(f.values.data(), 0, f.values.size() * sizeof(float));
    count(grey, columns, cells_y, cells_x, rows, f);
    f.norms.resize(wide * static_cast<size_t>(cells_y + 2));
    for (size_t i = 0; i < f.norms.size(); i++)
        f.norms[i] = energy(&f.histograms[i * DIRECTIONS_ROOM]);
    for (int y = 0; y < f.height; y++)
        for (int x = 0; x < f.width; x++) {
            const size_t cell = static_cast<size_t>(y + 2) * wide + static_cast<size_t>(x + 2);
            float blocks[4];

            block_norms(&f.norms[cell], wide, blocks);
            describe(&f.histograms[cell * DIRECTIONS_ROOM], blocks,
                     &f.values[static_cast<size_t>(y + before) * f.stride + static_cast<size_t>(x + before)], f.plane);
        }
}

#ifdef __x86_64__
WIDE void extract_wide(const unsigned char *grey, int rows, int columns, features &f)
{
    extract_with(grey, rows, columns, f);
}
#endif
} // namespace

void extract(const unsigned char *grey, int rows, int columns, features &out)
{
#ifdef __x86_64__
    if (is_wide())
        return extract_wide(grey, rows, columns, out);
#endif
    extract_with(grey, rows, columns, out);
}
} // namespace hog
