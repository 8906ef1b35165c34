#include "network.h"

#include <dnnl.hpp>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace fast
{
namespace
{
using dnnl::memory;
using tag = memory::format_tag;
using arguments = std::unordered_map<int, memory>;
constexpr int BLOCKS = 14, WINOGRAD_SIDE = 8;

memory::desc describe(int n, int c, int h, int w, tag layout)
{
    return {{n, c, h, w}, memory::data_type::f32, layout};
}

struct tensor { // an activation
    memory data;
    int n = 0, c = 0, h = 0, w = 0;

    float *at() const
    {
        return static_cast<float *>(data.get_data_handle());
    }
};

struct step { // one call of the library, or of ours
    dnnl::primitive primitive;
    arguments args;
    // of a block down: this instead
    bool combine = false;
    tensor block, mean, out;
};
} // namespace

// What all plans have in common.
struct network::shelf {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    std::unordered_map<const convolution *, std::vector<memory>> weights; // in each layout that was asked for

    memory weights_as(const convolution &k, const memory::desc &wanted);
};

// In the order of the library's choice; made once for all plans that want the same.
memory network::shelf::weights_as(const convolution &k, const memory::desc &wanted)
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

struct network::plan {
    shelf &common;
    dnnl::engine &engine = common.engine;
    dnnl::stream &stream = common.stream;
    int count, lanes = 1; // lanes: channels that lie together
    tag layout = tag::nchw;
    std::vector<step> steps;
    tensor input, output;

    plan(shelf &common, const std::vector<convolution> &all, int chips);
    void choose_layout(const convolution &typical);
    tensor make(int c, int h, int w);
    enum ending { RELU, NOTHING, SUM_RELU };
    void add_convolution(const convolution &k, const tensor &from, const tensor &to, ending end);
    tensor add_pool(const tensor &from, dnnl::algorithm how, int size, int stride);
    tensor add_block(const convolution &a, const convolution &b, const tensor &x);
    tensor add_block_down(const convolution &a, const convolution &b, const tensor &x);
    void add_combined(const step &s) const;
};

tensor network::plan::make(int c, int h, int w)
{
    return {memory(describe(count, c, h, w, layout), engine), count, c, h, w};
}

// The widest layout for which the library has instructions made for this CPU; the whole network keeps to it.
void network::plan::choose_layout(const convolution &k)
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
            return;
        }
    }
}

// SUM_RELU adds to what `to` holds already.
void network::plan::add_convolution(const convolution &k, const tensor &from, const tensor &to, ending end)
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
    const auto way = [&](dnnl::algorithm how) {
        return dnnl::convolution_forward::desc(dnnl::prop_kind::forward_inference, how, from.data.get_desc(),
                                               any_weights, bias_desc, to.data.get_desc(), stride, pad, pad);
    };
    // Winograd's way needs half the multiplications where the picture is large enough for its tiles.
    dnnl::convolution_forward::primitive_desc pd;
    if (k.size == 3 && k.stride == 1 && from.h >= WINOGRAD_SIDE)
        pd = {way(dnnl::algorithm::convolution_winograd), attributes, engine, true};
    if (!pd)
        pd = {way(dnnl::algorithm::convolution_direct), attributes, engine};
    memory weights = common.weights_as(k, pd.weights_desc()), bias(bias_desc, engine);

    std::memcpy(bias.get_data_handle(), k.bias.data(), k.bias.size() * sizeof(float));
    step s;
    s.primitive = dnnl::convolution_forward(pd);
    s.args = {{DNNL_ARG_SRC, from.data}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, to.data}};
    steps.push_back(std::move(s));
}

tensor network::plan::add_pool(const tensor &from, dnnl::algorithm how, int size, int stride)
{
    tensor to = make(from.c, (from.h - size) / stride + 1, (from.w - size) / stride + 1);
    const dnnl::pooling_forward::desc d(dnnl::prop_kind::forward_inference, how, from.data.get_desc(),
                                        to.data.get_desc(), {stride, stride}, {size, size}, {0, 0}, {0, 0});
    step s;

    s.primitive = dnnl::pooling_forward(dnnl::pooling_forward::primitive_desc(d, engine));
    s.args = {{DNNL_ARG_SRC, from.data}, {DNNL_ARG_DST, to.data}};
    steps.push_back(std::move(s));
    return to;
}

tensor network::plan::add_block(const convolution &a, const convolution &b, const tensor &x)
{
    const tensor between = make(a.outputs, x.h, x.w);

    add_convolution(a, x, between, RELU);
    add_convolution(b, between, x, SUM_RELU); // X has been read by then: it takes the sum
    return x;
}

tensor network::plan::add_block_down(const convolution &a, const convolution &b, const tensor &x)
{
    const int h = (x.h - a.size) / a.stride + 1, w = (x.w - a.size) / a.stride + 1;
    const tensor between = make(a.outputs, h, w);
    step s;

    s.combine = true;
    s.block = make(b.outputs, h, w);
    add_convolution(a, x, between, RELU);
    add_convolution(b, between, s.block, NOTHING);
    s.mean = add_pool(x, dnnl::algorithm::pooling_avg_exclude_padding, 2, 2);
    s.out = make(std::max(s.block.c, s.mean.c), std::max(h, s.mean.h), std::max(w, s.mean.w));
    const tensor out = s.out;
    steps.push_back(std::move(s));
    return out;
}

// out ← ReLU(block + mean), each as far as it goes. Channels lie together in groups of `lanes`.
void network::plan::add_combined(const step &s) const
{
    const int groups = s.out.c / lanes;

    for (int n = 0; n < count; n++)
        for (int g = 0; g < groups; g++)
            for (int y = 0; y < s.out.h; y++)
                for (int x = 0; x < s.out.w; x++) {
                    const auto place = [&](const tensor &t) {
                        return t.at() +
                               ((static_cast<size_t>(n) * static_cast<size_t>(t.c / lanes) + static_cast<size_t>(g)) *
                                    static_cast<size_t>(t.h * t.w) +
                                static_cast<size_t>(y * t.w + x)) *
                                   static_cast<size_t>(lanes);
                    };
                    const auto reaches = [&](const tensor &t) { return g < t.c / lanes && y < t.h && x < t.w; };
                    const float *a = reaches(s.block) ? place(s.block) : nullptr;
                    const float *b = reaches(s.mean) ? place(s.mean) : nullptr;
                    float *to = place(s.out);

                    for (int c = 0; c < lanes; c++)
                        to[c] = std::max(0.0f, (a ? a[c] : 0) + (b ? b[c] : 0));
                }
}

network::plan::plan(shelf &the_common, const std::vector<convolution> &all, int chips)
    : common(the_common), count(chips)
{
    choose_layout(all[1]);
    input = {memory(describe(count, 3, SIDE, SIDE, tag::nchw), engine), count, 3, SIDE, SIDE};
    const int half = (SIDE - all[0].size) / all[0].stride + 1;
    tensor x = make(all[0].outputs, half, half);

    add_convolution(all[0], input, x, RELU);
    x = add_pool(x, dnnl::algorithm::pooling_max, 3, 2);
    for (size_t i = 1; i + 1 < all.size(); i += 2)
        x = all[i].stride == 1 ? add_block(all[i], all[i + 1], x) : add_block_down(all[i], all[i + 1], x);
    output = x;
}

namespace
{
// That it is this network, not another one with layers of the same kind.
void check(const std::vector<convolution> &all, const std::vector<float> &last)
{
    int channels = 32;
    bool fits = all.size() == 1 + 2 * BLOCKS && all[0].inputs == 3 && all[0].outputs == channels && all[0].size == 7 &&
                all[0].stride == 2 && all[0].padding == 0;

    for (size_t i = 1; fits && i < all.size(); i++) {
        const convolution &k = all[i];

        fits = k.size == 3 && k.inputs == channels && k.padding == (k.stride == 1 ? 1 : 0) &&
               (i % 2 == 1 || k.stride == 1) && k.outputs % 16 == 0 && k.outputs >= k.inputs;
        channels = k.outputs;
    }
    if (!fits || last.size() != static_cast<size_t>(channels) * DIMENSION)
        throw std::runtime_error("the model file holds another network");
    for (const convolution &k : all)
        if (k.bias.size() != static_cast<size_t>(k.outputs) ||
            k.weights.size() != static_cast<size_t>(k.outputs * k.inputs * k.size * k.size))
            throw std::runtime_error("the model file has too few weights");
}
} // namespace

network::network(const std::vector<convolution> &convolutions, std::vector<float> the_last,
                 const std::vector<int> &batches)
    : last(std::move(the_last)), common(std::make_unique<shelf>())
{
    check(convolutions, last);
    for (int chips : batches)
        plans.push_back(std::make_unique<plan>(*common, convolutions, chips));
    common->weights.clear(); // the plans hold what they use
}

network::~network() = default;

void network::run(const float *chips, int count, float *out)
{
    plan &p = **std::find_if(plans.begin(), plans.end(), [&](const auto &one) { return one->count == count; });
    const tensor &x = p.output;
    const int pixels = x.h * x.w;

    std::memcpy(p.input.at(), chips, static_cast<size_t>(count) * 3 * SIDE * SIDE * sizeof(float));
    for (step &s : p.steps) {
        if (s.combine) {
            p.stream.wait();
            p.add_combined(s);
        } else {
            s.primitive.execute(p.stream, s.args);
        }
    }
    p.stream.wait();
    std::fill(out, out + count * DIMENSION, 0.0f);
    for (int n = 0; n < count; n++)
        for (int c = 0; c < x.c; c++) { // the mean of each channel, times its row
            const float *from =
                x.at() +
                (static_cast<size_t>(n) * static_cast<size_t>(x.c / p.lanes) + static_cast<size_t>(c / p.lanes)) *
                    static_cast<size_t>(pixels * p.lanes) +
                static_cast<size_t>(c % p.lanes);
            const float *row = last.data() + static_cast<size_t>(c) * DIMENSION;
            float mean = 0;

            for (int i = 0; i < pixels; i++)
                mean += from[i * p.lanes];
            mean /= static_cast<float>(pixels);
            for (int d = 0; d < DIMENSION; d++)
                out[n * DIMENSION + d] += mean * row[d];
        }
}
} // namespace fast
