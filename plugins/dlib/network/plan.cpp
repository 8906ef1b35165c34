#include "plugins/dlib/network/plan.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace fast
{
namespace
{
using dnnl::memory;
using tag = memory::format_tag;
using arguments = std::unordered_map<int, memory>;
constexpr int COLOURS = 3;
constexpr int HALVED_ROOM = 16; // for 4 × 3 channels, in whole groups
constexpr int FEW = 9;          // outputs of a channel for which weights of 16 bits are read sooner than oneDNN's of 32

memory::desc describe(int n, int c, int h, int w, tag layout)
{
    return {{n, c, h, w}, memory::data_type::f32, layout};
}
} // namespace

// In the order of the library's choice; made once for all plans that want the same.
memory shelf::weights_as(const convolution &k, const memory::desc &wanted)
{
    for (const memory &m : weights[&k])
        if (m.get_desc() == wanted)
            return m;
    memory plain({{k.outputs, k.inputs, k.size, k.size}, memory::data_type::f32, tag::oihw}, engine,
                 const_cast<float *>(k.weights.data()));
    memory ordered(wanted, engine);

    dnnl::reorder(plain, ordered).execute(stream, plain, ordered);
    stream.wait();
    weights[&k].push_back(ordered);
    return ordered;
}

// One for all plans, which are of the same layers.
std::shared_ptr<winograd> shelf::tiles_of(const convolution &k, int side, int lanes, int count)
{
    std::shared_ptr<winograd> &one = tiles[&k];

    if (!one)
        one = std::make_shared<winograd>(k, side, lanes, instructions_for(lanes));
    scratch.resize(std::max(scratch.size(), one->scratch(count)));
    return one;
}

// Another one that does the same.
const convolution &shelf::made(const convolution &k, convolution (*how)(const convolution &))
{
    const auto found = remade.find(&k);

    return found != remade.end() ? found->second : remade.emplace(&k, how(k)).first->second;
}

tensor plan::make(int c, int h, int w)
{
    return {memory(describe(count, c, h, w, layout), engine), count, c, h, w};
}

// What lies between a block's convolutions is read once: the next block of the same size writes to the same place.
tensor plan::room_between(int c, int h, int w)
{
    for (const tensor &t : rooms)
        if (t.c == c && t.h == h && t.w == w)
            return t;
    rooms.push_back(make(c, h, w));
    return rooms.back();
}

void plan::add_call(const dnnl::primitive &primitive, const arguments &args)
{
    steps.emplace_back([this, primitive, args] { primitive.execute(stream, args); });
}

// The widest layout for which the library has instructions made for this CPU; the whole network keeps to it.
void plan::choose_layout(const convolution &k)
{
    const memory::desc weights({k.outputs, k.inputs, k.size, k.size}, memory::data_type::f32, tag::any);
    const memory::desc bias({k.outputs}, memory::data_type::f32, tag::x);

    for (const auto &[candidate, width] : {std::pair{tag::nChw16c, 16}, std::pair{tag::nChw8c, 8}}) {
        const memory::desc data = describe(count, k.inputs, 17, 17, candidate);
        const dnnl::convolution_forward::desc d(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
                                                data, weights, bias, data, {1, 1}, {1, 1}, {1, 1});
        const dnnl::convolution_forward::primitive_desc pd(d, engine, true);

        if (pd && std::strncmp(pd.impl_info_str(), "jit", 3) == 0) {
            layout = candidate;
            lanes = width;
            tiled = instructions_for(width) != instructions::PLAIN;
            return;
        }
    }
}

void plan::add_tiles(const convolution &k, const tensor &from, const tensor &to, ending end)
{
    const std::shared_ptr<winograd> way = common.tiles_of(k, from.h, lanes, count);

    steps.emplace_back([this, way, from, to, end] {
        stream.wait();
        way->run(from.at(), to.at(), count, end, common.scratch.data());
    });
}

void plan::add_direct(const convolution &k, const tensor &from, const tensor &to, ending end)
{
    dnnl::primitive_attr attributes;
    dnnl::post_ops after;
    const memory::dims pad = {k.padding, k.padding}, stride = {k.stride, k.stride};
    const memory::desc any_weights({k.outputs, k.inputs, k.size, k.size}, memory::data_type::f32, tag::any);
    const memory::desc bias_desc({k.outputs}, memory::data_type::f32, tag::x);

    if (end == SUM_RELU)
        after.append_sum();
    if (end != NOTHING)
        after.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0, 0);
    attributes.set_post_ops(after);
    const dnnl::convolution_forward::primitive_desc pd(
        dnnl::convolution_forward::desc(dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct,
                                        from.data.get_desc(), any_weights, bias_desc, to.data.get_desc(), stride, pad,
                                        pad),
        attributes, engine);
    const memory weights = common.weights_as(k, pd.weights_desc()), bias(bias_desc, engine);

    std::memcpy(bias.get_data_handle(), k.bias.data(), k.bias.size() * sizeof(float));
    add_call(dnnl::convolution_forward(pd),
             {{DNNL_ARG_SRC, from.data}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, to.data}});
}

// Of a picture of one pixel, with zeros around it: the middle of a filter of 3×3.
convolution centre(const convolution &k)
{
    convolution one{k.outputs, k.inputs, 1, 1, 0, {}, k.bias};

    for (size_t i = 4; i < k.weights.size(); i += 9)
        one.weights.push_back(k.weights[i]);
    return one;
}

void plan::add_convolution(const convolution &k, const tensor &from, const tensor &to, ending end)
{
    const convolution &same = k.stride == 1 && from.h == 1 ? common.made(k, centre) : k;

    if (tiled && (k.stride == 1 || to.h * to.w <= FEW))
        add_tiles(same, from, to, end);
    else
        add_direct(same, from, to, end);
}

tensor plan::add_pool(const tensor &from, dnnl::algorithm how, int size, int stride)
{
    tensor to = make(from.c, (from.h - size) / stride + 1, (from.w - size) / stride + 1);
    const dnnl::pooling_forward::desc d(dnnl::prop_kind::forward_inference, how, from.data.get_desc(),
                                        to.data.get_desc(), {stride, stride}, {size, size}, {0, 0}, {0, 0});

    add_call(dnnl::pooling_forward(dnnl::pooling_forward::primitive_desc(d, engine)),
             {{DNNL_ARG_SRC, from.data}, {DNNL_ARG_DST, to.data}});
    return to;
}

tensor plan::add_block(const convolution &a, const convolution &b, const tensor &x)
{
    const tensor between = room_between(a.outputs, x.h, x.w);

    add_convolution(a, x, between, RELU);
    add_convolution(b, between, x, SUM_RELU); // X has been read by then: it takes the sum
    return x;
}

tensor plan::add_block_down(const convolution &a, const convolution &b, const tensor &x)
{
    const int h = (x.h - a.size) / a.stride + 1, w = (x.w - a.size) / a.stride + 1;
    const tensor between = room_between(a.outputs, h, w), block = make(b.outputs, h, w);

    add_convolution(a, x, between, RELU);
    add_convolution(b, between, block, NOTHING);
    const tensor mean = add_pool(x, dnnl::algorithm::pooling_avg_exclude_padding, 2, 2);
    const tensor out = make(std::max(block.c, mean.c), std::max(h, mean.h), std::max(w, mean.w));

    steps.emplace_back([this, block, mean, out] {
        stream.wait();
        combine(block, mean, out);
    });
    return out;
}

// out ← ReLU(block + mean), each as far as it goes. Channels lie together in groups of `lanes`.
void plan::combine(const tensor &block, const tensor &mean, const tensor &out) const
{
    const int groups = out.c / lanes;

    for (int i = 0; i < count * groups * out.h; i++) {
        const int n = i / out.h / groups, g = i / out.h % groups, y = i % out.h;
        float *to = out.at() + i * out.w * lanes;
        const auto add = [&](const tensor &t) {
            if (g >= t.c / lanes || y >= t.h)
                return;
            const float *from = t.at() + ((n * (t.c / lanes) + g) * t.h + y) * t.w * lanes;

            for (int k = 0; k < t.w * lanes; k++)
                to[k] += from[k];
        };

        std::fill_n(to, out.w * lanes, 0.0f);
        add(block);
        add(mean);
        for (int k = 0; k < out.w * lanes; k++)
            to[k] = std::max(0.0f, to[k]);
    }
}

// As dlib's input_rgb_image_sized does it: (value - mean of its colour) / 256.
struct scale {
    float of[COLOURS][256];

    scale()
    {
        const float means[COLOURS] = {122.782f, 117.001f, 104.298f};

        for (int c = 0; c < COLOURS; c++)
            for (int value = 0; value < 256; value++)
                of[c][value] = (static_cast<float>(value) - means[c]) / 256;
    }
};
const scale scaled;

const unsigned char *pixel_of(const view &chip, int y, int x)
{
    return chip.rgb + (y * SIDE + (chip.mirrored ? SIDE - 1 - x : x)) * COLOURS;
}

void plan::put_planes(int n, const view &chip)
{
    float *to = input.at() + n * COLOURS * SIDE * SIDE;

    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < COLOURS; c++)
                to[(c * SIDE + y) * SIDE + x] = scaled.of[c][pixel_of(chip, y, x)[c]];
}

// In the order of `halved`: each pixel holds four. Those that fill the last group stay zero.
void plan::put_halved(int n, const view &chip)
{
    float *to = input.at() + n * input.c * input.h * input.w;

    for (int y = 0; y < input.h; y++)
        for (int x = 0; x < input.w; x++) {
            float all[HALVED_ROOM] = {};
            const auto place = [&](int group) { return to + ((group * input.h + y) * input.w + x) * lanes; };

            for (int quarter = 0; quarter < 4; quarter++)
                for (int c = 0; c < COLOURS; c++)
                    all[quarter * COLOURS + c] =
                        scaled.of[c][pixel_of(chip, 2 * y + quarter / 2, 2 * x + quarter % 2)[c]];
            if (lanes == HALVED_ROOM) {
                std::memcpy(place(0), all, sizeof all);
            } else { // two groups of eight
                std::memcpy(place(0), all, sizeof all / 2);
                std::memcpy(place(1), all + HALVED_ROOM / 2, sizeof all / 2);
            }
        }
}

plan::plan(shelf &the_common, const std::vector<convolution> &all, int chips) : count(chips), common(the_common)
{
    choose_layout(all[1]);
    const int half = (SIDE - all[0].size) / all[0].stride + 1;
    tensor x = make(all[0].outputs, half, half);

    if (tiled) {
        input = make(HALVED_ROOM, SIDE / 2, SIDE / 2);
        std::fill_n(input.at(), count * HALVED_ROOM * (SIDE / 2) * (SIDE / 2), 0.0f);
        add_tiles(common.made(all[0], halved), input, x, RELU);
    } else {
        input = {memory(describe(count, COLOURS, SIDE, SIDE, tag::nchw), engine), count, COLOURS, SIDE, SIDE};
        add_direct(all[0], input, x, RELU);
    }
    x = add_pool(x, dnnl::algorithm::pooling_max, 3, 2);
    for (size_t i = 1; i + 1 < all.size(); i += 2)
        x = all[i].stride == 1 ? add_block(all[i], all[i + 1], x) : add_block_down(all[i], all[i + 1], x);
    output = x;
}

void plan::run(const std::vector<view> &chips)
{
    for (int n = 0; n < count; n++)
        if (tiled)
            put_halved(n, chips[static_cast<size_t>(n)]);
        else
            put_planes(n, chips[static_cast<size_t>(n)]);
    for (const auto &step : steps)
        step();
    stream.wait();
}
} // namespace fast
