#include "plugins/dlib/embedder.h"

#include "plugins/dlib/network/network.h"

#include <dlib/dnn.h>
#include <dlib/image_transforms.h>

#include <algorithm>

namespace dlib_recognizer
{
namespace
{
constexpr int BATCH = 8; // chips: larger batches use more memory and are not faster on one thread

// dlib's example dnn_face_recognition_ex (public domain).
template <template <int, template <typename> class, int, typename> class block, int N, template <typename> class BN,
          typename SUBNET>
using residual = dlib::add_prev1<block<N, BN, 1, dlib::tag1<SUBNET>>>;
template <template <int, template <typename> class, int, typename> class block, int N, template <typename> class BN,
          typename SUBNET>
using residual_down =
    dlib::add_prev2<dlib::avg_pool<2, 2, 2, 2, dlib::skip1<dlib::tag2<block<N, BN, 2, dlib::tag1<SUBNET>>>>>>;
template <int N, template <typename> class BN, int stride, typename SUBNET>
using block = BN<dlib::con<N, 3, 3, 1, 1, dlib::relu<BN<dlib::con<N, 3, 3, stride, stride, SUBNET>>>>>;
template <int N, typename SUBNET> using ares = dlib::relu<residual<block, N, dlib::affine, SUBNET>>;
template <int N, typename SUBNET> using ares_down = dlib::relu<residual_down<block, N, dlib::affine, SUBNET>>;
template <typename SUBNET> using alevel0 = ares_down<256, SUBNET>;
template <typename SUBNET> using alevel1 = ares<256, ares<256, ares_down<256, SUBNET>>>;
template <typename SUBNET> using alevel2 = ares<128, ares<128, ares_down<128, SUBNET>>>;
template <typename SUBNET> using alevel3 = ares<64, ares<64, ares<64, ares_down<64, SUBNET>>>>;
template <typename SUBNET> using alevel4 = ares<32, ares<32, ares<32, SUBNET>>>;
using network = dlib::loss_metric<dlib::fc_no_bias<
    DIMENSION, dlib::avg_pool_everything<alevel0<alevel1<alevel2<alevel3<alevel4<dlib::max_pool<
                   3, 3, 2, 2,
                   dlib::relu<dlib::affine<dlib::con<32, 7, 7, 2, 2, dlib::input_rgb_image_sized<CHIP_SIDE>>>>>>>>>>>>>;

// Collects the weights of dlib's network, whose visitor runs from the last layer to the first.
class weight_collector
{
  public:
    std::vector<dlib_network::convolution> convolutions; // in reverse order
    std::vector<float> last;

    template <typename any> void operator()(size_t, any &)
    {
    }
    template <long filters, long rows, long columns, int stride_y, int stride_x, int pad_y, int pad_x>
    void operator()(size_t, dlib::con_<filters, rows, columns, stride_y, stride_x, pad_y, pad_x> &layer)
    {
        const float *p = layer.get_layer_params().host();
        const auto size = layer.get_layer_params().size(), outputs = static_cast<size_t>(layer.num_filters());
        dlib_network::convolution k{};

        k.outputs = static_cast<int>(outputs);
        k.size = rows;
        k.stride = stride_y;
        k.padding = static_cast<int>(layer.padding_y());
        const size_t biases = layer.bias_is_disabled() ? 0 : outputs; // stored after the weights

        k.weights.assign(p, p + (size - biases));
        k.bias.assign(outputs, 0.0f);
        std::copy(p + (size - biases), p + size, k.bias.begin());
        k.inputs = static_cast<int>(k.weights.size() / outputs) / (k.size * k.size);
        fold(k);
        convolutions.push_back(std::move(k));
    }
    void operator()(size_t, dlib::affine_ &layer)
    {
        affine = &layer;
    }
    template <unsigned long outputs, dlib::fc_bias_mode mode> void operator()(size_t, dlib::fc_<outputs, mode> &layer)
    {
        const auto &w = layer.get_layer_params();

        last.assign(w.host(), w.host() + w.size());
    }

  private:
    dlib::affine_ *affine = nullptr; // applied to the output of the next convolution visited

    // y = gamma (w x + b) + beta. dlib exposes neither: the layer's output is beta for 0 and gamma + beta for 1.
    void fold(dlib_network::convolution &k)
    {
        const auto outputs = static_cast<size_t>(k.outputs), each = k.weights.size() / outputs;
        dlib::resizable_tensor zero(1, k.outputs, 1, 1), one(1, k.outputs, 1, 1);

        if (!affine)
            throw std::runtime_error("the model file does not hold dlib_face_recognition_resnet_model_v1");
        zero = 0;
        one = 1;
        affine->forward_inplace(zero, zero);
        affine->forward_inplace(one, one);
        for (size_t o = 0; o < outputs; o++) {
            const float beta = zero.host()[o], gamma = one.host()[o] - beta;

            for (size_t i = 0; i < each; i++)
                k.weights[o * each + i] *= gamma;
            k.bias[o] = k.bias[o] * gamma + beta;
        }
        affine = nullptr;
    }
};

std::unique_ptr<dlib_network::network> make_network(network &net, int pair)
{
    weight_collector g;

    dlib::visit_computational_layers(net, [&](size_t i, auto &layer) { g(i, layer); });
    std::reverse(g.convolutions.begin(), g.convolutions.end());
    return std::make_unique<dlib_network::network>(g.convolutions, g.last, std::vector<int>{BATCH, pair});
}

void add_half(const float *from, embedding &to)
{
    for (unsigned i = 0; i < DIMENSION; i++)
        to[i] += from[i] / 2;
}
} // namespace

struct embedder::state {
    std::unique_ptr<network> reference;
    std::unique_ptr<dlib_network::network> net;
    std::vector<dlib_network::chip_view> chips;
    std::vector<float> out;

    void run_reference(const rgb_image &chip, embedding &to)
    {
        const dlib::matrix<float, 0, 1> e = (*reference)(chip);

        add_half(&e(0), to);
    }
};

embedder::embedder(const std::string &file, const embedder_options &the_options)
    : options(the_options), me(std::make_unique<state>())
{
    auto net = std::make_unique<network>();

    load(*net, file);
    if (options.reference)
        me->reference = std::move(net);
    else // dlib's own network is freed
        me->net = make_network(*net, options.mirror ? 2 : 1);
}

embedder::~embedder() = default;

std::vector<embedding> embedder::embed(const std::vector<rgb_image> &chips)
{
    const size_t views = options.mirror ? 2 : 1, count = chips.size() * views;
    std::vector<embedding> to(chips.size(), embedding{});

    if (me->reference) {
        for (size_t i = 0; i < chips.size(); i++) {
            me->run_reference(chips[i], to[i]);
            if (options.mirror)
                me->run_reference(rgb_image(dlib::fliplr(chips[i])), to[i]);
            else
                for (float &value : to[i])
                    value *= 2; // undoes the half
        }
        return to;
    }
    for (size_t done = 0; done < count;) { // one batch at a time: bounds memory for many faces
        const size_t now = count - done >= BATCH ? BATCH : views;

        me->chips.clear();
        me->out.resize(BATCH * static_cast<size_t>(DIMENSION));
        for (size_t i = 0; i < now; i++)
            me->chips.push_back({&chips[(done + i) / views](0, 0).red, views == 2 && (done + i) % 2 == 1});
        me->net->run(me->chips, me->out.data());
        for (size_t i = 0; i < now; i++)
            for (size_t half = 0; half < 3 - views; half++)
                add_half(me->out.data() + i * DIMENSION, to[(done + i) / views]);
        done += now;
    }
    return to;
}
} // namespace dlib_recognizer
