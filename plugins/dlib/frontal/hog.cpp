#include "plugins/dlib/frontal/hog.h"

#include "plugins/dlib/frontal/vector8.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace hog
{
namespace
{
typedef int v8i __attribute__((vector_size(32)));

INLINE v8 absolute(v8 v)
{
    const v8i bits = (v8i)v & 0x7fffffff;

    return (v8)bits;
}

// --- gradients ---

// Unit vectors of the first quadrant with the four digits that dlib uses; those of the other quadrants mirror them.
constexpr float UNIT_X[5] = {1.0000f, 0.9397f, 0.7660f, 0.500f, 0.1736f};
constexpr float UNIT_Y[5] = {0.0000f, 0.3420f, 0.6428f, 0.8660f, 0.9848f};

// The gradients of eight pixels of a row: the nearest of 18 orientations, in steps of 20° from the x axis, and the
// squared length. The gradient is mirrored into the first quadrant, the nearest of 0° to 80° found, and the result
// mirrored back.
INLINE void gradient(const float *above, const float *row, const float *below_it, v8i &orientation, v8 &length)
{
    const v8 x = load(row + 1) - load(row - 1), y = load(below_it) - load(above);
    const v8 right = absolute(x), up = absolute(y);
    v8 best = broadcast(0);

    orientation = v8i{};
    for (int d = 0; d < 5; d++) {
        const v8 along = right * UNIT_X[d] + up * UNIT_Y[d];
        const v8i better = along > best;

        best = better ? along : best;
        orientation = better ? v8i{} + d : orientation;
    }
    const v8i below = y < 0, mirrored = below ? x > 0 : x < 0;

    orientation = mirrored ? 9 - orientation : orientation;
    orientation += below ? v8i{} + 9 : v8i{};
    orientation -= orientation > 17 ? v8i{} + 18 : v8i{};
    length = x * x + y * y;
}

INLINE void widen(const unsigned char *from, size_t n, float *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
}

// Splits the gradient length of each pixel between the two cells whose centres it lies between.
INLINE void split_lengths(const float *squares, size_t n, float *lefts, float *rights)
{
    constexpr float to_the_right[CELL] = {0.5625f, 0.6875f, 0.8125f, 0.9375f, 0.0625f, 0.1875f, 0.3125f, 0.4375f};

    for (size_t x = 0; x < n; x += CELL)
        for (size_t i = 0; i < CELL; i++) {
            const float length = std::sqrt(squares[x + i]);

            rights[x + i] = to_the_right[i] * length;
            lefts[x + i] = length - rights[x + i];
        }
}

// Adds the lengths of one row to the histograms of its cells. Neighbouring pixels mostly update the same bin: even and
// odd ones use two copies of the histograms, `copy` floats apart, so that an addition does not wait for the one before.
INLINE void add_row_to_histograms(const features &f, int from, int to, float *line, size_t copy)
{
    const float *lefts = f.lefts.data(), *rights = f.rights.data();
    const int *orientations = f.orientations.data();

    for (int x = from; x < to;) {
        const int end = std::min((x + CELL / 2) / CELL * CELL + CELL / 2, to); // pixels between the same two cells
        float *cell = line + static_cast<size_t>((x + CELL / 2) / CELL) * ORIENTATIONS_STRIDE;

        for (; x < end; x++) {
            float *bin = cell + static_cast<size_t>(x & 1) * copy + orientations[x];

            bin[0] += lefts[x];
            bin[ORIENTATIONS_STRIDE] += rights[x];
        }
    }
}

// Computes the gradients of row y, columns 1 to `right`. `f.pixels` is a ring of three rows: row y is at y modulo 3.
INLINE void compute_gradients(const unsigned char *next, int columns, int y, int right, features &f)
{
    const size_t room = f.squares.size();
    float *rows[3];

    for (int i = 0; i < 3; i++)
        rows[i] = &f.pixels[static_cast<size_t>(y - 1 + i) % 3 * room];
    widen(next, static_cast<size_t>(columns), rows[2]);
    for (int x = 1; x < right; x += 8) {
        const int n = std::min(x, right - 8); // the last vector overlaps the one before
        v8i orientation;
        v8 square;

        gradient(rows[0] + n, rows[1] + n, rows[2] + n, orientation, square);
        store(&f.squares[static_cast<size_t>(n)], square);
        std::memcpy(&f.orientations[static_cast<size_t>(n)], &orientation, sizeof orientation);
    }
}

// Computes the histograms of (cells_y + 2) × (cells_x + 2) cells; the border of one cell takes votes outside the image.
INLINE void compute_histograms(const unsigned char *grey, int columns, int cells_y, int cells_x, int rows, features &f)
{
    const int bottom = std::min(cells_y * CELL, rows) - 1, right = std::min(cells_x * CELL, columns) - 1;
    const size_t row = static_cast<size_t>(cells_x + 2) * ORIENTATIONS_STRIDE, wide = static_cast<size_t>(columns);
    const size_t room = (wide + CELL) / CELL * CELL;

    f.histograms.assign(row * static_cast<size_t>(cells_y + 2), 0.0f);
    f.line.resize(2 * row);
    f.pixels.resize(3 * room);
    for (std::vector<float> *one : {&f.squares, &f.lefts, &f.rights})
        one->resize(room);
    f.orientations.resize(room);
    widen(grey, wide, f.pixels.data());
    widen(grey + wide, wide, &f.pixels[room]);
    for (int y = 1; y < bottom; y++) {
        const int place = y + CELL / 2;
        const float low = (static_cast<float>(place % CELL) + 0.5f) / CELL;
        float *above = &f.histograms[static_cast<size_t>(place / CELL) * row], *below = above + row;

        compute_gradients(grey + static_cast<size_t>(y + 1) * wide, columns, y, right, f);
        split_lengths(f.squares.data(), room, f.lefts.data(), f.rights.data());
        std::memset(f.line.data(), 0, f.line.size() * sizeof(float));
        add_row_to_histograms(f, 1, right, f.line.data(), row);
        for (size_t i = 0; i < row; i += 8) {
            const v8 sum = load(&f.line[i]) + load(&f.line[row + i]);

            store(above + i, load(above + i) + sum * (1 - low));
            store(below + i, load(below + i) + sum * low);
        }
    }
}

// --- features ---

INLINE float sum(v8 v)
{
    return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

INLINE float energy(const float *cell) // of the unsigned orientations
{
    float e = 0;

    for (int d = 0; d < 9; d++)
        e += (cell[d] + cell[d + 9]) * (cell[d] + cell[d + 9]);
    return e;
}

// Energies of the four blocks of 2×2 cells that contain a cell, in dlib's order. `norm`: the cell's, in rows of `wide`.
INLINE void block_norms(const float *norm, size_t wide, float out[4])
{
    const float *up = norm - wide, *down = norm + wide;

    out[0] = norm[0] + norm[1] + down[0] + down[1];
    out[1] = up[0] + up[1] + norm[0] + norm[1];
    out[2] = norm[-1] + norm[0] + down[-1] + down[0];
    out[3] = up[-1] + up[0] + norm[-1] + norm[0];
}

// Writes the features of a cell: its histogram, clipped and normalised by each of its blocks.
INLINE void write_features(const float *cell, const float blocks[4], float *to, size_t plane)
{
    float both[16] = {0}, out[ORIENTATIONS_STRIDE], textures[4], limits[4], scales[4];
    v8 sums[3] = {}, sums_both[2] = {};

    for (int d = 0; d < 9; d++)
        both[d] = cell[d] + cell[d + 9];
    for (int k = 0; k < 4; k++) {
        limits[k] = 0.2f * std::sqrt(blocks[k] + 0.0001f);
        scales[k] = 0.1f / limits[k];
    }
    for (int k = 0; k < 4; k++) {
        const float limit = limits[k], scale = scales[k];
        v8 texture = broadcast(0);

        for (int i = 0; i < 3; i++) {
            const v8 h = load(cell + 8 * i), clipped = (h < limit ? h : broadcast(limit)) * scale;

            sums[i] += clipped;
            texture += clipped;
        }
        for (int i = 0; i < 2; i++) {
            const v8 h = load(both + 8 * i);

            sums_both[i] += (h < limit ? h : broadcast(limit)) * scale;
        }
        textures[k] = sum(texture) * 2 * 0.2357f;
    }
    for (int i = 0; i < 3; i++)
        store(out + 8 * i, sums[i]);
    for (int d = 0; d < ORIENTATIONS; d++)
        to[static_cast<size_t>(d) * plane] = out[d];
    for (int i = 0; i < 2; i++)
        store(out + 8 * i, sums_both[i]);
    for (int d = 0; d < 9; d++)
        to[static_cast<size_t>(ORIENTATIONS + d) * plane] = out[d];
    for (int k = 0; k < 4; k++)
        to[static_cast<size_t>(ORIENTATIONS + 9 + k) * plane] = textures[k];
}

INLINE void extract_with(const unsigned char *grey, int rows, int columns, features &f)
{
    const int cells_y = (rows + CELL / 2) / CELL, cells_x = (columns + CELL / 2) / CELL;
    const int border = (WINDOW - 1) / 2; // cells of zeros above and to the left, as in dlib
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
    compute_histograms(grey, columns, cells_y, cells_x, rows, f);
    f.norms.resize(wide * static_cast<size_t>(cells_y + 2));
    for (size_t i = 0; i < f.norms.size(); i++)
        f.norms[i] = energy(&f.histograms[i * ORIENTATIONS_STRIDE]);
    for (int y = 0; y < f.height; y++)
        for (int x = 0; x < f.width; x++) {
            const size_t cell = static_cast<size_t>(y + 2) * wide + static_cast<size_t>(x + 2);
            float blocks[4];

            block_norms(&f.norms[cell], wide, blocks);
            write_features(&f.histograms[cell * ORIENTATIONS_STRIDE], blocks,
                           &f.values[static_cast<size_t>(y + border) * f.stride + static_cast<size_t>(x + border)],
                           f.plane);
        }
}

#ifdef __x86_64__
TARGET_AVX2 void extract_avx2(const unsigned char *grey, int rows, int columns, features &f)
{
    extract_with(grey, rows, columns, f);
}
#endif
} // namespace

void extract(const unsigned char *grey, int rows, int columns, features &out)
{
#ifdef __x86_64__
    if (has_avx2())
        return extract_avx2(grey, rows, columns, out);
#endif
    extract_with(grey, rows, columns, out);
}
} // namespace hog
