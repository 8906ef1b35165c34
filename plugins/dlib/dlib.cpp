// The dlib recogniser: frontal HOG detector, alignment by five landmarks, ResNet embedding of 128 numbers, L2.
//
// The network is dlib's dnn_face_recognition_ex (public domain example), trained for a threshold of 0.6. It runs on
// oneDNN (network.h); dlib's own, KITH_NETWORK=dlib, is the reference and what is left where oneDNN cannot be used. By
// default the embedding is the mean of the face's and of its mirror image's (KITH_MIRROR): both show the same person,
// and what differs between them is noise. The HOG
// detector sees faces from about 80 pixels; a picture in which it finds none is looked at once more at twice the size,
// if settings allow faces that small and the picture stays within MAX_UPSAMPLED pixels.
#include "network.h"
#include "plugins/recognizer.h"

#include <dlib/dnn.h>
#include <dlib/image_processing.h>
#include <dlib/image_processing/frontal_face_detector.h>
#include <dlib/image_transforms.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace
{
constexpr unsigned CHIP_SIDE = 150;
constexpr double CHIP_PADDING = 0.25;
constexpr unsigned HOG_FACE = 80;                // side of the smallest face the detector can see
constexpr long MAX_UPSAMPLED = 4L * 1600 * 1600; // bounds time and memory of the second look
constexpr unsigned DIMENSION = 128;

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

using picture = dlib::matrix<dlib::rgb_pixel>;
using embedding = std::array<float, DIMENSION>;

struct found {
    dlib::rectangle box;
    double score;
};

struct instance {
    dlib::frontal_face_detector detector = dlib::get_frontal_face_detector();
    dlib::shape_predictor landmarks;
    std::unique_ptr<network> reference; // dlib's own: only when it is asked for
    std::unique_ptr<fast::network> net;
    bool mirror = true;
    std::vector<float> chips; // what the network is given
    double min_face = 40;
    picture pixels;
    // What the last call returned.
    std::vector<kith_face> faces;
    std::vector<embedding> embeddings;
    std::vector<std::vector<float>> points;
};

void say(char *error, size_t size, const std::string &words)
{
    std::snprintf(error, size, "%s", words.c_str());
}

const char *setting(const kith_settings *settings, const char *name, const char *otherwise)
{
    for (const kith_setting *s = settings->list; s && s->name; s++)
        if (std::strcmp(s->name, name) == 0)
            return s->value;
    return otherwise;
}

template <typename model> void load(model &m, const std::string &file)
{
    try {
        dlib::deserialize(file) >> m;
    } catch (const std::exception &e) {
        throw std::runtime_error("model file " + file + " (KITH_MODELS): " + e.what());
    }
}

// Gathers the weights of dlib's network, which visits its layers from the end to the beginning.
class gatherer
{
  public:
    std::vector<fast::convolution> convolutions; // the last first
    std::vector<float> last;

    template <typename any> void operator()(size_t, any &)
    {
    }
    template <long filters, long rows, long columns, int stride_y, int stride_x, int pad_y, int pad_x>
    void operator()(size_t, dlib::con_<filters, rows, columns, stride_y, stride_x, pad_y, pad_x> &layer)
    {
        const float *p = layer.get_layer_params().host();
        const auto size = layer.get_layer_params().size(), outputs = static_cast<size_t>(layer.num_filters());
        fast::convolution k{};

        k.outputs = static_cast<int>(outputs);
        k.size = rows;
        k.stride = stride_y;
        k.padding = static_cast<int>(layer.padding_y());
        const size_t biases = layer.bias_is_disabled() ? 0 : outputs; // they stand behind the weights

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
    dlib::affine_ *affine = nullptr; // the layer after the next convolution

    // y = gamma (w x + b) + beta; the layer tells beta of zeros and gamma + beta of ones, and no more.
    void fold(fast::convolution &k)
    {
        const auto outputs = static_cast<size_t>(k.outputs), each = k.weights.size() / outputs;
        dlib::resizable_tensor zero(1, k.outputs, 1, 1), one(1, k.outputs, 1, 1);

        if (!affine)
            throw std::runtime_error("the model file holds another network");
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

std::unique_ptr<fast::network> plan_of(network &net, int chips)
{
    gatherer g;

    dlib::visit_computational_layers(net, [&](size_t i, auto &layer) { g(i, layer); });
    std::reverse(g.convolutions.begin(), g.convolutions.end());
    return std::make_unique<fast::network>(g.convolutions, g.last, chips);
}

// Reads the network and puts it onto oneDNN; what dlib holds of it is let go.
void open_network(instance &me, const kith_settings *settings, const std::string &file)
{
    auto net = std::make_unique<network>();

    load(*net, file);
    me.mirror = std::strcmp(setting(settings, "mirror", "on"), "on") == 0;
    if (std::strcmp(setting(settings, "network", "onednn"), "dlib") == 0)
        me.reference = std::move(net);
    else
        me.net = plan_of(*net, me.mirror ? 2 : 1);
}

void *open_instance(const kith_settings *settings, char *error, size_t error_size)
{
    try {
        auto me = std::make_unique<instance>();
        const std::string folder = setting(settings, "models", "./models");

        load(me->landmarks, folder + "/shape_predictor_5_face_landmarks.dat");
        open_network(*me, settings, folder + "/dlib_face_recognition_resnet_model_v1.dat");
        me->min_face = std::atof(setting(settings, "min_face", "40"));
        return me.release();
    } catch (const std::exception &e) {
        say(error, error_size, e.what());
    } catch (...) {
        say(error, error_size, "dlib threw something unknown");
    }
    return nullptr;
}

void copy(const kith_image &image, picture &out)
{
    out.set_size(image.height, image.width);
    for (uint32_t y = 0; y < image.height; y++)
        std::memcpy(&out(y, 0), image.rgb + static_cast<size_t>(y) * image.stride,
                    static_cast<size_t>(image.width) * 3);
}

std::vector<found> detect(instance &me, double min_side)
{
    std::vector<dlib::rect_detection> seen;
    std::vector<found> out;

    me.detector(me.pixels, seen);
    if (seen.empty() && min_side < HOG_FACE && 4L * me.pixels.size() <= MAX_UPSAMPLED) {
        picture larger;

        dlib::pyramid_down<2> down;

        dlib::pyramid_up(me.pixels, larger, down);
        me.detector(larger, seen);
        for (auto &d : seen)
            d.rect = down.rect_down(d.rect);
    }
    for (const auto &d : seen)
        if (static_cast<double>(d.rect.width()) >= min_side)
            out.push_back({d.rect, d.detection_confidence});
    return out;
}

// As dlib's input_rgb_image_sized does it: planes of (value - mean) / 256.
void put_chip(const picture &chip, bool mirrored, float *to)
{
    constexpr float means[] = {122.782f, 117.001f, 104.298f};
    constexpr size_t plane = static_cast<size_t>(CHIP_SIDE) * CHIP_SIDE;

    for (long y = 0; y < CHIP_SIDE; y++)
        for (long x = 0; x < CHIP_SIDE; x++) {
            const dlib::rgb_pixel &p = chip(y, mirrored ? CHIP_SIDE - 1 - x : x);
            const auto at = static_cast<size_t>(y) * CHIP_SIDE + static_cast<size_t>(x);

            to[at] = (p.red - means[0]) / 256;
            to[plane + at] = (p.green - means[1]) / 256;
            to[2 * plane + at] = (p.blue - means[2]) / 256;
        }
}

embedding mean_of(const float *a, const float *b)
{
    embedding mean;

    for (unsigned i = 0; i < DIMENSION; i++)
        mean[i] = (a[i] + b[i]) / 2;
    return mean;
}

embedding embed(instance &me, const picture &chip)
{
    constexpr size_t values = 3UL * CHIP_SIDE * CHIP_SIDE;
    std::array<float, 2 * DIMENSION> out;

    if (me.reference) {
        const dlib::matrix<float, 0, 1> a = (*me.reference)(chip);

        if (!me.mirror)
            return mean_of(&a(0), &a(0));
        const picture mirrored = dlib::fliplr(chip);
        const dlib::matrix<float, 0, 1> b = (*me.reference)(mirrored);

        return mean_of(&a(0), &b(0));
    }
    me.chips.resize(2 * values);
    put_chip(chip, false, me.chips.data());
    if (me.mirror)
        put_chip(chip, true, me.chips.data() + values);
    me.net->run(me.chips.data(), out.data());
    return mean_of(out.data(), me.mirror ? out.data() + DIMENSION : out.data());
}

void describe(instance &me, const std::vector<found> &seen)
{
    std::vector<picture> chips(seen.size());

    me.faces.assign(seen.size(), kith_face{});
    me.points.assign(seen.size(), {});
    for (size_t i = 0; i < seen.size(); i++) {
        auto shape = me.landmarks(me.pixels, seen[i].box);

        dlib::extract_image_chip(me.pixels, dlib::get_face_chip_details(shape, CHIP_SIDE, CHIP_PADDING), chips[i]);
        for (unsigned long p = 0; p < shape.num_parts(); p++) {
            me.points[i].push_back(static_cast<float>(shape.part(p).x()));
            me.points[i].push_back(static_cast<float>(shape.part(p).y()));
        }
    }
    me.embeddings.clear();
    for (const auto &chip : chips) // one by one: a batch of many faces would hold all their activations at once
        me.embeddings.push_back(embed(me, chip));
    for (size_t i = 0; i < seen.size(); i++) {
        kith_face &f = me.faces[i];

        f.size = sizeof f;
        f.x = static_cast<float>(seen[i].box.left());
        f.y = static_cast<float>(seen[i].box.top());
        f.width = static_cast<float>(seen[i].box.width());
        f.height = static_cast<float>(seen[i].box.height());
        f.quality = static_cast<float>(1 / (1 + std::exp(-2 * seen[i].score))); // the detector's margin, squashed
        f.landmarks = me.points[i].data();
        f.landmark_count = static_cast<uint32_t>(me.points[i].size() / 2);
        f.embedding = me.embeddings[i].data();
    }
}

int recognize(void *self, const kith_image *image, kith_result *result, char *error, size_t error_size)
{
    try {
        instance &me = *static_cast<instance *>(self);

        copy(*image, me.pixels);
        auto seen = detect(me, me.min_face * image->scale);
        if (seen.size() > image->max_faces) {
            std::sort(seen.begin(), seen.end(),
                      [](const found &a, const found &b) { return a.box.area() > b.box.area(); });
            seen.resize(image->max_faces);
        }
        describe(me, seen);
        result->faces = me.faces.data();
        result->face_count = static_cast<uint32_t>(me.faces.size());
        return KITH_OK;
    } catch (const std::exception &e) {
        say(error, error_size, e.what());
    } catch (...) {
        say(error, error_size, "dlib threw something unknown");
    }
    return KITH_FAILED;
}

int health(void *self, char *error, size_t error_size)
{
    try {
        instance &me = *static_cast<instance *>(self);
        picture grey(CHIP_SIDE, CHIP_SIDE);

        dlib::assign_all_pixels(grey, 128);
        const embedding e = embed(me, grey);
        if (!std::all_of(e.begin(), e.end(), [](float v) { return std::isfinite(v); })) {
            say(error, error_size, "the network's answer is no number");
            return KITH_FAILED;
        }
        return KITH_OK;
    } catch (const std::exception &e) {
        say(error, error_size, e.what());
    } catch (...) {
        say(error, error_size, "dlib threw something unknown");
    }
    return KITH_FAILED;
}

void close_instance(void *self)
{
    delete static_cast<instance *>(self);
}

const kith_recognizer descriptor = {
    KITH_RECOGNIZER_MAGIC,
    KITH_RECOGNIZER_ABI,
    sizeof(kith_recognizer),
    KITH_NEEDS_PIXELS,
    "dlib",
    "19.24",
    "dlib-resnet-v1-5point",
    KITH_METRIC_L2,
    DIMENSION,
    0.6,
    1600,
    open_instance,
    health,
    recognize,
    close_instance,
};
} // namespace

const kith_recognizer *kith_recognizer_get(void)
{
    return &descriptor;
}
