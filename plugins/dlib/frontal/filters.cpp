#include "plugins/dlib/frontal/filters.h"

#include "plugins/dlib/frontal/eight.h"

#include <algorithm>

namespace hog
{
namespace
{
constexpr int BAND = 64;   // rows of scores at a time: their lines share a second-level cache with them
constexpr int MOST = 4;    // vectors side by side at a time
constexpr int MORE = 8;    // rows that are computed for nothing, at most: where the last few are fewer than a column's
constexpr int BESIDE = 12; // sums that fit into the registers beside what they are made of

// Columns of scores, 8 × V of them, and what they are computed from.
struct task {
    const float *from; // the features of one plane
    size_t stride;
    int rows; // of scores
    float *lines;
    size_t each; // floats of a part's lines: rows of 8 × V
    float *to;   // the first detector's scores
    size_t to_stride, to_plane;
};

// The rows of N parts: N × V sums at a time, of V vectors that all of them read.
template <int N, int V> INLINE void cross(const task &t, const thin *parts, float *lines)
{
    for (int y = 0; y < t.rows + WINDOW - 1; y++) {
        const float *row = t.from + static_cast<size_t>(y) * t.stride;
        v8 sums[N][V] = {};

        for (int k = 0; k < WINDOW; k++)
            for (int v = 0; v < V; v++) {
                const v8 value = load(row + k + 8 * v);

                for (int n = 0; n < N; n++)
                    sums[n][v] += value * parts[n].across[k];
            }
        for (int n = 0; n < N; n++)
            for (int v = 0; v < V; v++)
                store(lines + static_cast<size_t>(n) * t.each + static_cast<size_t>((y * V + v) * 8), sums[n][v]);
    }
}

template <int N, int V> INLINE void cross_some(int n, const task &t, const thin *parts, float *lines)
{
    if constexpr (N > 1)
        if (n < N) {
            cross_some<N - 1, V>(n, t, parts, lines);
            return;
        }
    cross<N, V>(t, parts, lines);
}

template <int V> INLINE void cross_all(const task &t, const std::vector<thin> &parts)
{
    constexpr int TOGETHER = std::min(BESIDE / V, 6);
    const int count = static_cast<int>(parts.size()), groups = (count + TOGETHER - 1) / TOGETHER;

    for (int g = 0, first = 0; g < groups; g++) { // groups that differ by one at most
        const int n = (count + g) / groups;

        cross_some<TOGETHER, V>(n, t, &parts[static_cast<size_t>(first)],
                                t.lines + static_cast<size_t>(first) * t.each);
        first += n;
    }
}

// A part's column: R rows of scores at a time, each line read once for all of them.
template <int V, int R> INLINE void drop(const task &t, const float *down, const float *lines, float *to)
{
    for (int y = 0; y < t.rows; y += R) {
        v8 sums[R][V];
        const auto add = [&](int line, int first, int end) { // what the rows `first` to `end` have of a line
            for (int v = 0; v < V; v++) {
                const v8 value = load(lines + static_cast<size_t>(((y + line) * V + v) * 8));

                for (int r = first; r < end; r++)
                    sums[r][v] += value * down[line - r];
            }
        };

        for (int r = 0; r < R; r++)
            for (int v = 0; v < V; v++)
                sums[r][v] = load(to + static_cast<size_t>(y + r) * t.to_stride + 8 * v);
        for (int line = 0; line < R - 1; line++)
            add(line, 0, line + 1);
        for (int line = R - 1; line < WINDOW; line++)
            add(line, 0, R);
        for (int line = 0; line < R - 1; line++)
            add(WINDOW + line, line + 1, R);
        for (int r = 0; r < R; r++)
            for (int v = 0; v < V; v++)
                store(to + static_cast<size_t>(y + r) * t.to_stride + 8 * v, sums[r][v]);
    }
}

template <int V> INLINE void slide_columns(const task &t, const std::vector<thin> &parts)
{
    cross_all<V>(t, parts);
    for (size_t p = 0; p < parts.size(); p++)
        drop<V, V == 1   ? 8
                : V == 4 ? 2
                         : 4>(t, parts[p].down, t.lines + p * t.each,
                              t.to + static_cast<size_t>(parts[p].detector) * t.to_plane);
}

INLINE void slide_all(int vectors, const task &t, const std::vector<thin> &parts)
{
    switch (vectors) {
    case 1:
        return slide_columns<1>(t, parts);
    case 2:
        return slide_columns<2>(t, parts);
    case 3:
        return slide_columns<3>(t, parts);
    default:
        return slide_columns<MOST>(t, parts);
    }
}

void slide_plain(int vectors, const task &t, const std::vector<thin> &parts)
{
    slide_all(vectors, t, parts);
}

#ifdef __x86_64__
WIDE void slide_wide(int vectors, const task &t, const std::vector<thin> &parts)
{
    slide_all(vectors, t, parts);
}
#endif
} // namespace

void filters::add(int plane, const thin &part)
{
    parts[plane].push_back(part);
    detectors = std::max(detectors, part.detector + 1);
}

void filters::slide(const features &f, fits &out)
{
    auto *way = slide_plain;
    size_t most = 0;

#ifdef __x86_64__
    if (is_wide())
        way = slide_wide;
#endif
    for (const auto &of_plane : parts)
        most = std::max(most, of_plane.size());
    lines.resize(most * (BAND + WINDOW + MORE) * MOST * 8);
    out.stride = f.stride;
    out.plane = f.stride * static_cast<size_t>((f.height + MORE - 1) / MORE * MORE);
    out.values.assign(out.plane * static_cast<size_t>(detectors), 0.0f);
    for (int x = 0; x < f.width; x += MOST * 8)
        for (int y = 0; y < f.height; y += BAND) {
            const int vectors = std::min((f.width - x + 7) / 8, MOST);
            const size_t at = static_cast<size_t>(y) * f.stride + static_cast<size_t>(x);

            for (int p = 0; p < PLANES; p++)
                way(vectors,
                    {&f.values[static_cast<size_t>(p) * f.plane + at], f.stride, std::min(f.height - y, BAND),
                     lines.data(), static_cast<size_t>((BAND + WINDOW + MORE) * vectors * 8), &out.values[at],
                     out.stride, out.plane},
                    parts[p]);
        }
}
} // namespace hog
