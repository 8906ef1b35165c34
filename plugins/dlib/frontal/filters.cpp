#include "plugins/dlib/frontal/filters.h"

#include "plugins/dlib/frontal/vector8.h"

#include <algorithm>

namespace hog
{
namespace
{
constexpr int BAND = 64;         // rows of scores at a time: scores and row sums fit into the second-level cache
constexpr int VECTORS_MAX = 4;   // vectors side by side at a time
constexpr int ROW_PADDING = 8;   // the last block of rows is computed whole: at most so many rows are unused
constexpr int ACCUMULATORS = 12; // vectors of sums that fit into the registers beside their operands

// A block of scores, 8 × V columns, with its inputs and buffers.
struct task {
    const float *from; // the features of one plane
    size_t stride;
    int rows; // of scores
    float *row_sums;
    size_t row_sums_size; // floats for one filter: rows of 8 × V
    float *to;            // scores of the first detector
    size_t to_stride, to_plane;
};

// Row sums of N filters: N × V accumulators share V input vectors.
template <int N, int V> INLINE void sum_rows(const task &t, const separable_filter *parts, float *lines)
{
    for (int y = 0; y < t.rows + WINDOW - 1; y++) {
        const float *row = t.from + static_cast<size_t>(y) * t.stride;
        v8 sums[N][V] = {};

        for (int k = 0; k < WINDOW; k++)
            for (int v = 0; v < V; v++) {
                const v8 value = load(row + k + 8 * v);

                for (int n = 0; n < N; n++)
                    sums[n][v] += value * parts[n].row[k];
            }
        for (int n = 0; n < N; n++)
            for (int v = 0; v < V; v++)
                store(lines + static_cast<size_t>(n) * t.row_sums_size + static_cast<size_t>((y * V + v) * 8),
                      sums[n][v]);
    }
}

template <int N, int V> INLINE void sum_some_rows(int n, const task &t, const separable_filter *parts, float *lines)
{
    if constexpr (N > 1)
        if (n < N) {
            sum_some_rows<N - 1, V>(n, t, parts, lines);
            return;
        }
    sum_rows<N, V>(t, parts, lines);
}

template <int V> INLINE void sum_all_rows(const task &t, const std::vector<separable_filter> &parts)
{
    constexpr int FILTERS_AT_ONCE = std::min(ACCUMULATORS / V, 6);
    const int count = static_cast<int>(parts.size()), groups = (count + FILTERS_AT_ONCE - 1) / FILTERS_AT_ONCE;

    for (int g = 0, first = 0; g < groups; g++) { // groups whose sizes differ by at most one
        const int n = (count + g) / groups;

        sum_some_rows<FILTERS_AT_ONCE, V>(n, t, &parts[static_cast<size_t>(first)],
                                          t.row_sums + static_cast<size_t>(first) * t.row_sums_size);
        first += n;
    }
}

// The column of a filter: R rows of scores at a time, so that each row of sums is loaded once for all of them.
template <int V, int R> INLINE void add_columns(const task &t, const float *column, const float *row_sums, float *to)
{
    for (int y = 0; y < t.rows; y += R) {
        v8 sums[R][V];
        const auto add = [&](int line, int first, int end) { // the terms of rows `first` to `end` from one line
            for (int v = 0; v < V; v++) {
                const v8 value = load(row_sums + static_cast<size_t>(((y + line) * V + v) * 8));

                for (int r = first; r < end; r++)
                    sums[r][v] += value * column[line - r];
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

template <int V> INLINE void evaluate_columns(const task &t, const std::vector<separable_filter> &parts)
{
    sum_all_rows<V>(t, parts);
    for (size_t p = 0; p < parts.size(); p++)
        add_columns<V, V == 1   ? 8
                       : V == 4 ? 2
                                : 4>(t, parts[p].column, t.row_sums + p * t.row_sums_size,
                                     t.to + static_cast<size_t>(parts[p].detector) * t.to_plane);
}

INLINE void evaluate_block(int vectors, const task &t, const std::vector<separable_filter> &parts)
{
    switch (vectors) {
    case 1:
        return evaluate_columns<1>(t, parts);
    case 2:
        return evaluate_columns<2>(t, parts);
    case 3:
        return evaluate_columns<3>(t, parts);
    default:
        return evaluate_columns<VECTORS_MAX>(t, parts);
    }
}

void evaluate_plain(int vectors, const task &t, const std::vector<separable_filter> &parts)
{
    evaluate_block(vectors, t, parts);
}

#ifdef __x86_64__
TARGET_AVX2 void evaluate_avx2(int vectors, const task &t, const std::vector<separable_filter> &parts)
{
    evaluate_block(vectors, t, parts);
}
#endif
} // namespace

void filter_bank::add(int plane, const separable_filter &filter)
{
    filters[plane].push_back(filter);
    detectors = std::max(detectors, filter.detector + 1);
}

void filter_bank::evaluate(const features &f, score_map &out)
{
    auto *evaluate_task = evaluate_plain;
    size_t most_filters = 0;

#ifdef __x86_64__
    if (has_avx2())
        evaluate_task = evaluate_avx2;
#endif
    for (const auto &of_plane : filters)
        most_filters = std::max(most_filters, of_plane.size());
    row_sums.resize(most_filters * (BAND + WINDOW + ROW_PADDING) * VECTORS_MAX * 8);
    out.stride = f.stride;
    out.plane = f.stride * static_cast<size_t>((f.height + ROW_PADDING - 1) / ROW_PADDING * ROW_PADDING);
    out.values.assign(out.plane * static_cast<size_t>(detectors), 0.0f);
    for (int x = 0; x < f.width; x += VECTORS_MAX * 8)
        for (int y = 0; y < f.height; y += BAND) {
            const int vectors = std::min((f.width - x + 7) / 8, VECTORS_MAX);
            const size_t at = static_cast<size_t>(y) * f.stride + static_cast<size_t>(x);

            for (int p = 0; p < PLANES; p++)
                evaluate_task(vectors,
                              {&f.values[static_cast<size_t>(p) * f.plane + at], f.stride, std::min(f.height - y, BAND),
                               row_sums.data(), static_cast<size_t>((BAND + WINDOW + ROW_PADDING) * vectors * 8),
                               &out.values[at], out.stride, out.plane},
                              filters[p]);
        }
}
} // namespace hog
