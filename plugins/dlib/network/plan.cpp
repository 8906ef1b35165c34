#include "plugins/dlib/network/plan.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace dlib_network
{
namespace
{
using dnnl::memory;
using tag = memory::format_tag;
using arguments = std::unordered_map<int, memory>;
constexpr int COLOURS = 3;
constexpr int DEPTH_CHANNELS = 16; // 4 × 3 channels, padded to whole groups
constexpr int FEW_OUTPUTS = 9;     // up to so many per channel, reading weights dominates: 16 bits beat oneDNN's 32

memory::desc describe(int n, int c, int h, int w, tag layout)
{
    return {{n, c, h, w}, memory::data_type::f32, layout};
}
} // namespace

// The weights reordered to `wanted`, the layout that oneDNN selected; shared by plans that use the same layout.
memory shared_weights::weights_as(const convolution &k, const memory::desc &wanted)
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

// Plans of different batch sizes share it.
std::shared_ptr<winograd> shared_weights::winograd_for(const convolution &k, int side, int lanes, int count)
{
    std::shared_ptr<winograd> &one = winograds[&k];

    if (!one)
        one = std::make_shared<winograd>(k, side, lanes, instructions_for(lanes));
    scratch.resize(std::max(scratch.size(), one->scratch(count)));
    return one;
}

// The result of `how` for a convolution, an equivalent one of another shape; made once.
const convolution &shared_weights::derived_convolution(const convolution &k, convolution (*how)(const convolution &))
{
    const auto found = derived.find(&k);

    return found != derived.end() ? found->second : derived.emplace(&k, how(k)).first->second;
}

tensor plan::make_tensor(int c, int h, int w)
{
    return {memory(describe(count, c, h, w, layout), engine), count, c, h, w};
}

// The tensor between the convolutions of a block; blocks of the same size reuse it.
tensor plan::temporary(int c, int h, int w)
{
    for (const tensor &t : temporaries)
        if (t.c == c && t.h == h && t.w == w)
            return t;
    temporaries.push_back(make_tensor(c, h, w));
    return temporaries.back();
}

void plan::add_call(const dnnl::primitive &primitive, const arguments &args)
{
    steps.emplace_back([this, primitive, args] { primitive.execute(stream, args); });
}

// Selects the widest layout for which oneDNN has a JIT kernel on this CPU; the whole network uses it.
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
            use_winograd = instructions_for(width) != instructions::PLAIN;
            return;
        }
    }
}

void plan::add_winograd(const convolution &k, const tensor &from, const tensor &to, epilogue end)
{
    const std::shared_ptr<winograd> convolution = common.winograd_for(k, from.h, lanes, count);

    steps.emplace_back([this, convolution, from, to, end] {
        stream.wait();
        convolution->run(from.at(), to.at(), count, end, common.scratch.data());
    });
}

void plan::add_direct(const convolution &k, const tensor &from, const tensor &to, epilogue end)
{
    dnnl::primitive_attr attributes;
    dnnl::post_ops after;
    const memory::dims pad = {k.padding, k.padding}, stride = {k.stride, k.stride};
    const memory::desc any_weights({k.outputs, k.inputs, k.size, k.size}, memory::data_type::f32, tag::any);
    const memory::desc bias_desc({k.outputs}, memory::data_type::f32, tag::x);

    if (end == ADD_RELU)
        after.append_sum();
    if (end != LINEAR)
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

// On an image of one pixel with zero padding only the centre of a 3×3 filter has an effect.
convolution centre(const convolution &k)
{
    convolution one{k.outputs, k.inputs, 1, 1, 0, {}, k.bias};

    for (size_t i = 4; i < k.weights.size(); i += 9)
        one.weights.push_back(k.weights[i]);
    return one;
}

void plan::add_convolution(const convolution &k, const tensor &from, const tensor &to, epilogue end)
{
    const convolution &same = k.stride == 1 && from.h == 1 ? common.derived_convolution(k, centre) : k;

    if (use_winograd && (k.stride == 1 || to.h * to.w <= FEW_OUTPUTS))
        add_winograd(same, from, to, end);
    else
        add_direct(same, from, to, end);
}

tensor plan::add_pool(const tensor &from, dnnl::algorithm how, int size, int stride)
{
    tensor to = make_tensor(from.c, (from.h - size) / stride + 1, (from.w - size) / stride + 1);
    const dnnl::pooling_forward::desc d(dnnl::prop_kind::forward_inference, how, from.data.get_desc(),
                                        to.data.get_desc(), {stride, stride}, {size, size}, {0, 0}, {0, 0});

    add_call(dnnl::pooling_forward(dnnl::pooling_forward::primitive_desc(d, engine)),
             {{DNNL_ARG_SRC, from.data}, {DNNL_ARG_DST, to.data}});
    return to;
}

tensor plan::add_block(const convolution &a, const convolution &b, const tensor &x)
{
    const tensor between = temporary(a.outputs, x.h, x.w);

    add_convolution(a, x, between, RELU);
    add_convolution(b, between, x, ADD_RELU); // in place: X has been read
    return x;
}

tensor plan::add_block_down(const convolution &a, const convolution &b, const tensor &x)
{
    const int h = (x.h - a.size) / a.stride + 1, w = (x.w - a.size) / a.stride + 1;
    const tensor between = temporary(a.outputs, h, w), block = make_tensor(b.outputs, h, w);

    add_convolution(a, x, between, RELU);
    add_convolution(b, between, block, LINEAR);
    const tensor mean = add_pool(x, dnnl::algorithm::pooling_avg_exclude_padding, 2, 2);
    const tensor out = make_tensor(std::max(block.c, mean.c), std::max(h, mean.h), std::max(w, mean.w));

    steps.emplace_back([this, block, mean, out] {
        stream.wait();
        combine(block, mean, out);
    });
    return out;
}

// out ← ReLU(block + mean), the smaller operand padded with zeros. Channels are stored in groups of `lanes`.
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

// The input scaling of dlib's input_rgb_image_sized: (value - mean of the colour) / 256.
struct input_scale {
    float of[COLOURS][256];

    input_scale()
    {
        const float means[COLOURS] = {122.782f, 117.001f, 104.298f};

        for (int c = 0; c < COLOURS; c++)
            for (int value = 0; value < 256; value++)
                of[c][value] = (static_cast<float>(value) - means[c]) / 256;
    }
};
const input_scale scaled;

const unsigned char *pixel_of(const chip_view &chip, int y, int x)
{
    return chip.rgb + (y * SIDE + (chip.mirrored ? SIDE - 1 - x : x)) * COLOURS;
}

void plan::put_planes(int n, const chip_view &chip)
{
    float *to = input.at() + n * COLOURS * SIDE * SIDE;

    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int c = 0; c < COLOURS; c++)
                to[(c * SIDE + y) * SIDE + x] = scaled.of[c][pixel_of(chip, y, x)[c]];
}

// In the order of space_to_depth(): each pixel holds four source pixels; padding channels stay zero.
void plan::put_space_to_depth(int n, const chip_view &chip)
{
    float *to = input.at() + n * input.c * input.h * input.w;

    for (int y = 0; y < input.h; y++)
        for (int x = 0; x < input.w; x++) {
            float all[DEPTH_CHANNELS] = {};
            const auto place = [&](int group) { return to + ((group * input.h + y) * input.w + x) * lanes; };

            for (int quarter = 0; quarter < 4; quarter++)
                for (int c = 0; c < COLOURS; c++)
                    all[quarter * COLOURS + c] =
                        scaled.of[c][pixel_of(chip, 2 * y + quarter / 2, 2 * x + quarter % 2)[c]];
            if (lanes == DEPTH_CHANNELS) {
                std::memcpy(place(0), all, sizeof all);
            } else { // two groups of eight
                std::memcpy(place(0), all, sizeof all / 2);
                std::memcpy(place(1), all + DEPTH_CHANNELS / 2, sizeof all / 2);
            }
        }
}

plan::plan(shared_weights &the_common, const std::vector<convolution> &all, int chips)
    : count(chips), common(the_common)
{
    choose_layout(all[1]);
    const int half = (SIDE - all[0].size) / all[0].stride + 1;
    tensor x = make_tensor(all[0].outputs, half, half);

    if (use_winograd) {
        input = make_tensor(DEPTH_CHANNELS, SIDE / 2, SIDE / 2);
        std::fill_n(input.at(), count * DEPTH_CHANNELS * (SIDE / 2) * (SIDE / 2), 0.0f);
        add_winograd(common.derived_convolution(all[0], space_to_depth), input, x, RELU);
    } else {
        input = {memory(describe(count, COLOURS, SIDE, SIDE, tag::nchw), engine), count, COLOURS, SIDE, SIDE};
        add_direct(all[0], input, x, RELU);
    }
    x = add_pool(x, dnnl::algorithm::pooling_max, 3, 2);
    for (size_t i = 1; i + 1 < all.size(); i += 2)
        x = all[i].stride == 1 ? add_block(all[i], all[i + 1], x) : add_block_down(all[i], all[i + 1], x);
    output = x;
}

void plan::run(const std::vector<chip_view> &chips)
{
    for (int n = 0; n < count; n++)
        if (use_winograd)
            put_space_to_depth(n, chips[static_cast<size_t>(n)]);
        else
            put_planes(n, chips[static_cast<size_t>(n)]);
    for (const auto &step : steps)
        step();
    stream.wait();
}
} // namespace dlib_network
