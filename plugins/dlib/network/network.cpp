#include "plugins/dlib/network/network.h"

#include "plugins/common/cpu.h"
#include "plugins/dlib/network/plan.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace dlib_network
{
namespace
{
constexpr int BLOCKS = 14;

// Throws unless the layers have the structure of this network.
void check(const std::vector<convolution> &all, const std::vector<float> &last)
{
    int channels = 32;
    bool fits = all.size() == 1 + 2 * BLOCKS && all[0].inputs == 3 && all[0].outputs == channels && all[0].size == 7 &&
                all[0].stride == 2 && all[0].padding == 0;

    for (size_t i = 1; fits && i < all.size(); i++) {
        const convolution &k = all[i];

        fits = k.size == 3 && k.inputs == channels && k.padding == (k.stride == 1 ? 1 : 0) &&
               (i % 2 == 1 || k.stride == 1) && k.outputs % 32 == 0 && k.outputs >= k.inputs;
        channels = k.outputs;
    }
    if (!fits || last.size() != static_cast<size_t>(channels) * DIMENSION)
        throw std::runtime_error("the model file does not hold dlib_face_recognition_resnet_model_v1");
    for (const convolution &k : all)
        if (k.bias.size() != static_cast<size_t>(k.outputs) ||
            k.weights.size() != static_cast<size_t>(k.outputs * k.inputs * k.size * k.size))
            throw std::runtime_error("the model file has too few weights");
}

// The instruction limit of oneDNN must be set before the first primitive is created.
std::unique_ptr<shared_weights> make_shared_weights()
{
    if (cpu::available() == cpu::level::AVX2)
        dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2);
    if (cpu::available() == cpu::level::PLAIN)
        dnnl::set_max_cpu_isa(dnnl::cpu_isa::sse41);
    return std::make_unique<shared_weights>();
}
} // namespace

network::network(const std::vector<convolution> &convolutions, std::vector<float> the_last,
                 const std::vector<int> &batches)
    : last(std::move(the_last)), shared(make_shared_weights())
{
    check(convolutions, last);
    for (int chips : batches)
        plans.push_back(std::make_unique<plan>(*shared, convolutions, chips));
    shared->weights.clear(); // the plans hold references to the weights they use
    shared->winograds.clear();
    shared->derived.clear();
}

network::~network() = default;

void network::run(const std::vector<chip_view> &chips, float *out)
{
    const int count = static_cast<int>(chips.size());
    plan &p = **std::find_if(plans.begin(), plans.end(), [&](const auto &one) { return one->count == count; });
    const tensor &x = p.output;
    const int pixels = x.h * x.w;

    p.run(chips);
    std::fill(out, out + count * DIMENSION, 0.0f);
    for (int n = 0; n < count; n++)
        for (int c = 0; c < x.c; c++) { // mean of the channel × its row of the last layer
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
} // namespace dlib_network
