// The dlib recogniser: HOG or CNN detector, alignment by five landmarks, ResNet embedding of 128 floats compared by L2
// distance.
//
// The network is that of dlib's example dnn_face_recognition_ex (public domain), trained for a threshold of 0.6.
//
//   detector.h (boxes) ─▶ landmarks.h (five points) ─▶ chip.h (150×150) ─▶ embedder.h (embeddings) ─▶ network.h
#include "plugins/common/cpu.h"
#include "plugins/dlib/chip.h"
#include "plugins/dlib/detector.h"
#include "plugins/dlib/embedder.h"
#include "plugins/dlib/landmarks.h"
#include "plugins/recognizer.h"

#include <dlib/image_transforms.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace
{
using namespace dlib_recognizer;

constexpr unsigned FACE_SIDE = 100; // pixels of a face within a chip of 150: more resolution is not used

struct instance {
    std::unique_ptr<detector> faces_detector;
    std::unique_ptr<embedder> net;
    landmarks shape_predictor;
    double min_face = 40;
    rgb_image pixels;
    // The result of the last call.
    std::vector<kith_face> faces;
    std::vector<embedding> embeddings;
    std::vector<std::vector<float>> landmark_points;
};

void set_error(char *error, size_t size, const std::string &text)
{
    std::snprintf(error, size, "%s", text.c_str());
}

const char *setting(const kith_settings *settings, const char *name, const char *otherwise)
{
    for (const kith_setting *s = settings->list; s && s->name; s++)
        if (std::strcmp(s->name, name) == 0)
            return s->value;
    return otherwise;
}

detector_kind parse_detector(const std::string &name)
{
    return name == "cnn" ? detector_kind::CNN : name == "hard" ? detector_kind::HOG_THEN_CNN : detector_kind::HOG;
}

void *open_instance(const kith_settings *settings, char *error, size_t error_size)
{
    try {
        auto me = std::make_unique<instance>();
        const std::string folder = setting(settings, "models", "./models");
        embedder_options options;

        cpu::limit(setting(settings, "instructions", "auto"));
        options.mirror = std::strcmp(setting(settings, "flip_augment", "on"), "on") == 0;
        options.reference = std::strcmp(setting(settings, "inference", "onednn"), "dlib") == 0;
        load(me->shape_predictor, folder + "/shape_predictor_5_face_landmarks.dat");
        me->net = std::make_unique<embedder>(folder + "/dlib_face_recognition_resnet_model_v1.dat", options);
        me->faces_detector = std::make_unique<detector>(parse_detector(setting(settings, "detector", "hog")), folder);
        me->min_face = std::atof(setting(settings, "min_face", "40"));
        return me.release();
    } catch (const std::exception &e) {
        set_error(error, error_size, e.what());
    } catch (...) {
        set_error(error, error_size, "dlib threw an unknown exception");
    }
    return nullptr;
}

void copy_image(const kith_image &image, rgb_image &out)
{
    out.set_size(image.height, image.width);
    for (uint32_t y = 0; y < image.height; y++)
        std::memcpy(&out(y, 0), image.rgb + static_cast<size_t>(y) * image.stride,
                    static_cast<size_t>(image.width) * 3);
}

void keep_largest(std::vector<detection> &found, size_t max)
{
    if (found.size() <= max)
        return;
    std::sort(found.begin(), found.end(),
              [](const detection &a, const detection &b) { return a.box.area() > b.box.area(); });
    found.resize(max);
}

// Finds the landmarks of each face and cuts its chip.
std::vector<rgb_image> align(instance &me, const std::vector<detection> &found)
{
    std::vector<rgb_image> chips(found.size());

    me.landmark_points.assign(found.size(), {});
    for (size_t i = 0; i < found.size(); i++) {
        const auto shape = me.shape_predictor.find(me.pixels, found[i].box);

        chips[i] = extract_chip(me.pixels, shape);
        for (unsigned long p = 0; p < shape.num_parts(); p++) {
            me.landmark_points[i].push_back(static_cast<float>(shape.part(p).x()));
            me.landmark_points[i].push_back(static_cast<float>(shape.part(p).y()));
        }
    }
    return chips;
}

// The mean embedding of `count` views of each chip, shifted, rotated and scaled at random (dlib's jitter_image). The
// random numbers restart for each chip, so that the same photo always gives the same template.
void embed_jittered(instance &me, const std::vector<rgb_image> &chips, uint32_t count)
{
    me.embeddings.assign(chips.size(), embedding{});
    for (size_t i = 0; i < chips.size(); i++) {
        dlib::rand random;
        std::vector<rgb_image> views;

        for (uint32_t n = 0; n < count; n++)
            views.push_back(dlib::jitter_image(chips[i], random));
        for (const embedding &e : me.net->embed(views))
            for (unsigned d = 0; d < DIMENSION; d++)
                me.embeddings[i][d] += e[d] / static_cast<float>(count);
    }
}

void fill_faces(instance &me, const std::vector<detection> &found)
{
    me.faces.assign(found.size(), kith_face{});
    for (size_t i = 0; i < found.size(); i++) {
        kith_face &f = me.faces[i];

        f.size = sizeof f;
        f.x = static_cast<float>(found[i].box.left());
        f.y = static_cast<float>(found[i].box.top());
        f.width = static_cast<float>(found[i].box.width());
        f.height = static_cast<float>(found[i].box.height());
        f.quality = static_cast<float>(1 / (1 + std::exp(-2 * found[i].score))); // logistic of the margin
        f.landmarks = me.landmark_points[i].data();
        f.landmark_count = static_cast<uint32_t>(me.landmark_points[i].size() / 2);
        f.embedding = me.embeddings[i].data();
    }
}

class stage_timer // writes the duration of each stage to a result
{
  public:
    explicit stage_timer(kith_result *to) : result(to)
    {
    }
    void end(kith_stage stage)
    {
        const auto now = clock::now();

        if (result->size >= offsetof(kith_result, stage_ms) + sizeof result->stage_ms)
            result->stage_ms[stage] = std::chrono::duration<float, std::milli>(now - begun).count();
        begun = now;
    }

  private:
    using clock = std::chrono::steady_clock;
    kith_result *result;
    clock::time_point begun = clock::now();
};

int recognize(void *self, const kith_image *image, kith_result *result, char *error, size_t error_size)
{
    try {
        instance &me = *static_cast<instance *>(self);
        stage_timer timer(result);

        copy_image(*image, me.pixels);
        auto found = me.faces_detector->find(me.pixels, me.min_face * image->scale);
        keep_largest(found, image->max_faces);
        timer.end(KITH_DETECT);
        const auto chips = align(me, found);
        timer.end(KITH_ALIGN);
        if (image->jitters > 0)
            embed_jittered(me, chips, image->jitters);
        else
            me.embeddings = me.net->embed(chips);
        timer.end(KITH_EMBED);
        fill_faces(me, found);
        result->faces = me.faces.data();
        result->face_count = static_cast<uint32_t>(me.faces.size());
        return KITH_OK;
    } catch (const std::exception &e) {
        set_error(error, error_size, e.what());
    } catch (...) {
        set_error(error, error_size, "dlib threw an unknown exception");
    }
    return KITH_FAILED;
}

int health(void *self, char *error, size_t error_size)
{
    try {
        instance &me = *static_cast<instance *>(self);
        rgb_image grey(CHIP_SIDE, CHIP_SIDE);

        dlib::assign_all_pixels(grey, 128);
        const embedding e = me.net->embed({grey})[0];
        if (!std::all_of(e.begin(), e.end(), [](float v) { return std::isfinite(v); })) {
            set_error(error, error_size, "the network returned a number that is not finite");
            return KITH_FAILED;
        }
        return KITH_OK;
    } catch (const std::exception &e) {
        set_error(error, error_size, e.what());
    } catch (...) {
        set_error(error, error_size, "dlib threw an unknown exception");
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
    KITH_NEEDS_PIXELS | KITH_NEEDS_QUALITY,
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
    FACE_SIDE,
};
} // namespace

const kith_recognizer *kith_recognizer_get(void)
{
    return &descriptor;
}
