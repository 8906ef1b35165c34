// The kernels of winograd.h for one instruction set. winograd.cpp includes it once for each, in a namespace of
// its own, with LANES (floats in a vector) and TILES_AT_ONCE (tiles multiplied at a time: as many as leave a register
// for the two vectors of weights and the value of each, with two sums a tile).

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef int32_t ints __attribute__((vector_size(LANES * 4)));

INLINE vec load(const float *p)
{
    vec v;

    std::memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store(float *p, vec v)
{
    std::memcpy(p, &v, sizeof v);
}

// --- Bᵀ d, for the points 0, ±1, ∞; also 2; also ±2; also ±2 and ±½ ---

INLINE void input_transform(const vec (&d)[4], vec (&to)[4])
{
    to[0] = d[0] - d[2];
    to[1] = d[1] + d[2];
    to[2] = d[2] - d[1];
    to[3] = d[3] - d[1];
}

INLINE void input_transform(const vec (&d)[5], vec (&to)[5])
{
    const vec odd = d[3] - d[1];

    to[0] = 2 * (d[0] - d[2]) + odd;
    to[1] = d[3] - d[2] - 2 * d[1];
    to[2] = d[3] - 3 * d[2] + 2 * d[1];
    to[3] = odd;
    to[4] = d[4] - d[2] - 2 * odd;
}

INLINE void input_transform(const vec (&d)[6], vec (&to)[6])
{
    const vec even1 = d[4] - 4 * d[2], odd1 = d[3] - 4 * d[1], even2 = d[4] - d[2], odd2 = 2 * (d[3] - d[1]);

    to[0] = 4 * d[0] - 5 * d[2] + d[4];
    to[1] = even1 + odd1;
    to[2] = even1 - odd1;
    to[3] = even2 + odd2;
    to[4] = even2 - odd2;
    to[5] = 4 * d[1] - 5 * d[3] + d[5];
}

INLINE void input_transform(const vec (&d)[8], vec (&to)[8])
{
    const vec even1 = d[2] + d[6] - 4.25f * d[4], odd1 = d[1] + d[5] - 4.25f * d[3];
    const vec even2 = d[6] + 0.25f * d[2] - 1.25f * d[4], odd2 = 0.5f * d[1] - 2.5f * d[3] + 2 * d[5];
    const vec even_half = d[6] + 4 * d[2] - 5 * d[4], odd_half = 2 * d[1] - 2.5f * d[3] + 0.5f * d[5];

    to[0] = d[0] - d[6] + 5.25f * (d[4] - d[2]);
    to[1] = even1 + odd1;
    to[2] = even1 - odd1;
    to[3] = even2 + odd2;
    to[4] = even2 - odd2;
    to[5] = even_half + odd_half;
    to[6] = even_half - odd_half;
    to[7] = d[7] - d[1] + 5.25f * (d[3] - d[5]);
}

// Aᵀ m: output k is the sum of m[i] × (point i)^k; ∞ contributes to the last output only.
template <int TILE, int POINTS> INLINE void output_transform(const vec (&m)[POINTS], vec (&to)[TILE])
{
    for (int k = 0; k < TILE; k++) {
        const auto pair = [&](int i) { return k % 2 ? m[i] - m[i + 1] : m[i] + m[i + 1]; };
        vec sum = pair(1);

        if constexpr (POINTS == 5)
            sum += static_cast<float>(1 << k) * m[3];
        if constexpr (POINTS > 5)
            sum += static_cast<float>(1 << k) * pair(3);
        if constexpr (POINTS > 6)
            sum += 1.0f / static_cast<float>(1 << k) * pair(5);
        if (k == 0)
            sum += m[0];
        if (k == TILE - 1)
            sum += m[POINTS - 1];
        to[k] = sum;
    }
}

// --- tiles ---

struct tile_bounds { // the part of a tile within the image
    int top, bottom, left, right;
};

// Loads one column of a tile; zeros outside the image.
template <int POINTS>
INLINE void load_column(const float *from, int row, const tile_bounds &inside, bool whole, vec (&column)[POINTS])
{
    if (whole)
        for (int y = 0; y < POINTS; y++)
            column[y] = load(from + y * row * LANES);
    else
        for (int y = 0; y < POINTS; y++)
            column[y] = y >= inside.top && y < inside.bottom ? load(from + y * row * LANES) : vec{};
}

// V ← Bᵀ d B of one tile of one group of channels; zeros outside the image. `from` points at the tile's
// corner, `row` and `step` are pixels from row to row and floats from point to point.
template <int POINTS>
INLINE void transform_input_tile(const float *from, int row, const tile_bounds &inside, float *to, size_t step)
{
    const bool whole = inside.top == 0 && inside.bottom == POINTS;
    vec half[POINTS][POINTS];

    for (int x = 0; x < POINTS; x++) {
        vec column[POINTS], transformed[POINTS] = {};

        if (x >= inside.left && x < inside.right) {
            load_column(from + x * LANES, row, inside, whole, column);
            input_transform(column, transformed);
        }
        for (int y = 0; y < POINTS; y++)
            half[y][x] = transformed[y];
    }
    for (int y = 0; y < POINTS; y++) {
        vec transformed[POINTS];

        input_transform(half[y], transformed);
        for (int x = 0; x < POINTS; x++)
            store(to + static_cast<size_t>(y * POINTS + x) * step, transformed[x]);
    }
}

INLINE void store_output(vec sum, epilogue end, float *place)
{
    if (end == ADD_RELU)
        sum += load(place);
    store(place, end == LINEAR || sum > 0 ? sum : vec{});
}

// outputs ← epilogue(Aᵀ M A + bias); outputs outside the image are not written.
template <int TILE, int POINTS>
INLINE void transform_output_tile(const float *m, size_t step, vec bias, epilogue end, float *to, int row,
                                  const tile_bounds &inside)
{
    vec half[TILE][POINTS];

    for (int x = 0; x < POINTS; x++) {
        vec column[POINTS], transformed[TILE];

        for (int y = 0; y < POINTS; y++)
            column[y] = load(m + static_cast<size_t>(y * POINTS + x) * step);
        output_transform<TILE>(column, transformed);
        for (int y = 0; y < TILE; y++)
            half[y][x] = transformed[y];
    }
    for (int y = 0; y < inside.bottom; y++) {
        vec transformed[TILE];

        output_transform<TILE>(half[y], transformed);
        for (int x = 0; x < TILE; x++) {
            if (x >= inside.right)
                break;
            float *place = to + (y * row + x) * LANES;

            store_output(transformed[x] + bias, end, place);
        }
    }
}

// --- products ---

// Operands of M ← V U for one point: N tiles, two vectors of outputs.
struct factors {
    int inputs, stride; // channels, without and with the padding of the last group
    const int32_t *u;   // [inputs][LANES], two weights in each word
    const float *scale; // [2 LANES]: value of one unit of a weight
    // Weights of later points to prefetch, and bytes for each input: as many as this point has, spread over all groups
    // of tiles.
    const char *prefetch;
    int prefetch_step;
};

// `v`: [N][room], `m`: [N][2 LANES]. With one or two tiles, additions would wait for each other: inputs
// alternate between several accumulators.
template <int N> INLINE void multiply(const factors &f, const float *v, float *m)
{
    constexpr int COPIES = N > 2 ? 1 : 4 / N;
    const int32_t *u = f.u;
    const char *prefetch = f.prefetch;
    vec sum[COPIES][N][2] = {};

    for (int i = 0; i < f.inputs; i += COPIES)
        for (int copy = 0; copy < COPIES; copy++) {
            ints two;

            std::memcpy(&two, u, sizeof two);
            const vec u0 = __builtin_convertvector(two << 16, vec), u1 = __builtin_convertvector(two, vec);

            __builtin_prefetch(prefetch);
            prefetch += f.prefetch_step;
            u += LANES;
            for (int t = 0; t < N; t++) {
                sum[copy][t][0] += u0 * v[t * f.stride + i + copy];
                sum[copy][t][1] += u1 * v[t * f.stride + i + copy];
            }
        }
    for (int t = 0; t < N; t++)
        for (int half = 0; half < 2; half++) {
            vec all = sum[0][t][half];

            for (int copy = 1; copy < COPIES; copy++)
                all += sum[copy][t][half];
            store(m + (t * 2 + half) * LANES, all * load(f.scale + half * LANES));
        }
}

template <int N> INLINE void multiply_some(int tiles, const factors &f, const float *v, float *m)
{
    if constexpr (N > 1)
        if (tiles < N) {
            multiply_some<N - 1>(tiles, f, v, m);
            return;
        }
    multiply<N>(f, v, m);
}

// Any number of tiles, in groups whose sizes differ by at most one.
INLINE void multiply_all(int tiles, factors f, const float *v, float *m)
{
    const int groups = (tiles + TILES_AT_ONCE - 1) / TILES_AT_ONCE,
              bytes = f.inputs * LANES * static_cast<int>(sizeof *f.u);

    f.prefetch = reinterpret_cast<const char *>(f.u) + std::max(PREFETCH_BYTES, bytes);
    f.prefetch_step = bytes / groups / f.inputs;

    for (int g = 0; g < groups; g++) {
        const int n = (tiles + g) / groups;

        multiply_some<TILES_AT_ONCE>(n, f, v, m);
        f.prefetch += f.inputs * f.prefetch_step;
        v += n * f.stride;
        m += n * 2 * LANES;
    }
}

// --- images ---

template <int TILE, int POINTS> struct tiles {
    const layer &l;
    const float *from;
    float *to;
    epilogue end;
    int across, groups; // tiles in one direction; groups of input channels

    // Image and corner of tile t, and the part of its `size` within images of `side`.
    struct place {
        int image, y, x;
        tile_bounds inside;
    };
    INLINE place find(int t, int padding, int size, int side) const
    {
        const int y = t / across % across * TILE - padding, x = t % across * TILE - padding;

        return {t / (across * across),
                y,
                x,
                {std::max(0, -y), std::min(size, side - y), std::max(0, -x), std::min(size, side - x)}};
    }
    INLINE static ptrdiff_t offset(const place &p, int group, int all_groups, int side)
    {
        return ((static_cast<ptrdiff_t>(p.image) * all_groups + group) * side * side + p.y * side + p.x) * LANES;
    }

    INLINE void transform_inputs(int first, int n, float *v, size_t step) const
    {
        for (int i = 0; i < n; i++) {
            const place p = find(first + i, l.padding, POINTS, l.in);

            for (int g = 0; g < groups; g++)
                transform_input_tile<POINTS>(from + offset(p, g, groups, l.in), l.in, p.inside,
                                             v + (i * groups + g) * LANES, step);
        }
    }

    INLINE void transform_outputs(int first, int n, int two, const float *m, size_t step) const
    {
        for (int i = 0; i < n; i++) {
            const place p = find(first + i, 0, TILE, l.out);

            for (int g = 2 * two; g < 2 * two + 2; g++)
                transform_output_tile<TILE, POINTS>(m + (i * 2 + g % 2) * LANES, step, load(l.bias + g * LANES), end,
                                                    to + offset(p, g, l.outputs / LANES, l.out), l.out, p.inside);
        }
    }

    // Rounds of at most `most` tiles, which fit into the cache; their sizes differ by at most one.
    INLINE void run(int count, int most, float *v, float *m) const
    {
        const int all = across * across * count, rounds = (all + most - 1) / most, room = groups * LANES;

        for (int round = 0, first = 0; round < rounds; round++) {
            const int n = (all + round) / rounds;
            const size_t step_v = odd_lines(n * room), step_m = odd_lines(n * 2 * LANES);

            transform_inputs(first, n, v, step_v);
            for (int two = 0; two < l.outputs / (2 * LANES); two++) {
                for (int p = 0; p < POINTS * POINTS; p++) {
                    const ptrdiff_t at = static_cast<ptrdiff_t>(two) * POINTS * POINTS + p;

                    multiply_all(
                        n, {l.inputs, room, l.weights + at * l.inputs * LANES, l.scales + at * 2 * LANES, nullptr, 0},
                        v + static_cast<size_t>(p) * step_v, m + static_cast<size_t>(p) * step_m);
                }
                transform_outputs(first, n, two, m, step_m);
            }
            first += n;
        }
    }
};

template <int TILE, int POINTS>
void run_tiles(const layer &l, const float *from, float *to, int count, epilogue end, int most, float *scratch)
{
    const int across = (l.out + TILE - 1) / TILE, groups = (l.inputs + LANES - 1) / LANES;
    const tiles<TILE, POINTS> all{l, from, to, end, across, groups};

    all.run(count, most, scratch, scratch + POINTS * POINTS * odd_lines(most * groups * LANES));
}

// --- matrix product ---

// im2col: the inputs of each output, [images × out²][filter²][channels].
INLINE void gather_inputs(const layer &l, const float *from, int count, float *to)
{
    const int groups = l.channels / LANES;

    for (int n = 0; n < count; n++)
        for (int y = 0; y < l.out; y++)
            for (int x = 0; x < l.out; x++)
                for (int r = 0; r < l.filter * l.filter; r++)
                    for (int g = 0; g < groups; g++, to += LANES) {
                        const int row = y * l.stride + r / l.filter, column = x * l.stride + r % l.filter;

                        store(to, load(from + (((n * groups + g) * l.in + row) * l.in + column) * LANES));
                    }
}

void run_products(const layer &l, const float *from, float *to, int count, epilogue end, float *scratch)
{
    const int pixels = l.out * l.out, all = count * pixels;
    float *const m = scratch + static_cast<size_t>(all * l.inputs);

    gather_inputs(l, from, count, scratch);
    for (int two = 0; two < l.outputs / (2 * LANES); two++) {
        multiply_all(all,
                     {l.inputs, l.inputs, l.weights + static_cast<ptrdiff_t>(two) * l.inputs * LANES,
                      l.scales + two * 2 * LANES, nullptr, 0},
                     scratch, m);
        for (int i = 0; i < 2 * all; i++) {
            const int group = 2 * two + i % 2, image = i / 2 / pixels, pixel = i / 2 % pixels;

            store_output(load(m + i * LANES) + load(l.bias + group * LANES), end,
                         to + ((image * (l.outputs / LANES) + group) * pixels + pixel) * LANES);
        }
    }
}

void run(const layer &l, int tile, int points, const float *from, float *to, int count, epilogue end, int most,
         float *scratch)
{
    if (points == 1)
        run_products(l, from, to, count, end, scratch);
    else if (points == 4)
        run_tiles<2, 4>(l, from, to, count, end, most, scratch);
    else if (points == 5)
        run_tiles<3, 5>(l, from, to, count, end, most, scratch);
    else if (points == 6)
        run_tiles<4, 6>(l, from, to, count, end, most, scratch);
    else if (tile == 6)
        run_tiles<6, 8>(l, from, to, count, end, most, scratch);
    else
        run_tiles<5, 8>(l, from, to, count, end, most, scratch);
}
