// The dlib recogniser: frontal HOG detector, alignment by five landmarks, ResNet embedding of 128 numbers, L2.
//
// The network is dlib's dnn_face_recognition_ex (public domain example), trained for a threshold of 0.6.
//
//   detector.h (boxes) ─▶ landmarks.h (five points) ─▶ chip.h (150×150) ─▶ embedder.h (embeddings) ─▶ network.h
#include "plugins/dlib/chip.h"
#include "plugins/dlib/cpu.h"
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

constexpr unsigned FACE_SIDE = 100; // of a chip's 150 pixels: more of a picture are thrown away

struct instance {
    std::unique_ptr<detector> see;
    std::unique_ptr<embedder> net;
    landmarks points_of;
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

eyes eyes_of(const std::string &name)
{
    return name == "cnn" ? eyes::CNN : name == "hard" ? eyes::HARD : eyes::HOG;
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
        load(me->points_of, folder + "/shape_predictor_5_face_landmarks.dat");
        me->net = std::make_unique<embedder>(folder + "/dlib_face_recognition_resnet_model_v1.dat", options);
        me->see = std::make_unique<detector>(eyes_of(setting(settings, "detector", "hog")), folder);
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

void keep_largest(std::vector<found> &seen, size_t most)
{
    if (seen.size() <= most)
        return;
    std::sort(seen.begin(), seen.end(), [](const found &a, const found &b) { return a.box.area() > b.box.area(); });
    seen.resize(most);
}

std::vector<picture> align(instance &me, const std::vector<found> &seen)
{
    std::vector<picture> chips(seen.size());

    me.points.assign(seen.size(), {});
    for (size_t i = 0; i < seen.size(); i++) {
        const auto shape = me.points_of.find(me.pixels, seen[i].box);

        chips[i] = chip_of(me.pixels, shape);
        for (unsigned long p = 0; p < shape.num_parts(); p++) {
            me.points[i].push_back(static_cast<float>(shape.part(p).x()));
            me.points[i].push_back(static_cast<float>(shape.part(p).y()));
        }
    }
    return chips;
}

// The mean over `count` views of each chip, moved, turned and scaled a little (dlib's jitter_image; its random numbers
// begin anew for each picture, so that the same photo always gives the same template).
void embed_jittered(instance &me, const std::vector<picture> &chips, uint32_t count)
{
    me.embeddings.assign(chips.size(), embedding{});
    for (size_t i = 0; i < chips.size(); i++) {
        dlib::rand random;
        std::vector<picture> views;

        for (uint32_t n = 0; n < count; n++)
            views.push_back(dlib::jitter_image(chips[i], random));
        for (const embedding &e : me.net->embed(views))
            for (unsigned d = 0; d < DIMENSION; d++)
                me.embeddings[i][d] += e[d] / static_cast<float>(count);
    }
}

void describe(instance &me, const std::vector<found> &seen)
{
    me.faces.assign(seen.size(), kith_face{});
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

class stages // how long each took
{
  public:
    explicit stages(kith_result *to) : result(to)
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
        stages watch(result);

        copy(*image, me.pixels);
        auto seen = me.see->find(me.pixels, me.min_face * image->scale);
        keep_largest(seen, image->max_faces);
        watch.end(KITH_DETECT);
        const auto chips = align(me, seen);
        watch.end(KITH_ALIGN);
        if (image->jitters > 0)
            embed_jittered(me, chips, image->jitters);
        else
            me.embeddings = me.net->embed(chips);
        watch.end(KITH_EMBED);
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
        const embedding e = me.net->embed({grey})[0];
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
