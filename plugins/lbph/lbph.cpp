// The OpenCV recogniser: cascade detector, and local binary pattern histograms of an 8×8 grid compared by chi-square.
//
// The embedding is the histogram of cv::face::LBPHFaceRecognizer (radius 1, 8 neighbours, grid 8×8, 256 bins), read
// from a recogniser that is trained with one face. Distances depend on lighting; the threshold suits pictures taken
// under the same conditions. It is fast and needs no model file, but much less accurate than dlib.
#include "plugins/recognizer.h"

#include <opencv2/core.hpp>
#include <opencv2/face.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace
{
constexpr int FACE_SIDE = 128, GRID = 8, BINS = 256;
constexpr unsigned DIMENSION = GRID * GRID * BINS;

struct instance {
    cv::CascadeClassifier cascade;
    double min_face = 40;
    std::vector<kith_face> faces;
    std::vector<cv::Mat> histograms;
};

void set_error(char *error, size_t size, const char *text)
{
    std::snprintf(error, size, "%s", text);
}

const char *setting(const kith_settings *settings, const char *name, const char *otherwise)
{
    for (const kith_setting *s = settings->list; s && s->name; s++)
        if (std::strcmp(s->name, name) == 0)
            return s->value;
    return otherwise;
}

void *open_instance(const kith_settings *settings, char *error, size_t error_size)
{
    try {
        auto me = std::make_unique<instance>();
        const std::string file = setting(settings, "lbph_cascade", "");

        cv::setNumThreads(1);
        if (!me->cascade.load(file)) {
            set_error(error, error_size, ("cannot read the cascade " + file + " (KITH_LBPH_CASCADE)").c_str());
            return nullptr;
        }
        me->min_face = std::atof(setting(settings, "min_face", "40"));
        return me.release();
    } catch (const std::exception &e) {
        set_error(error, error_size, e.what());
    } catch (...) {
        set_error(error, error_size, "OpenCV threw an unknown exception");
    }
    return nullptr;
}

cv::Mat compute_histogram(const cv::Mat &grey, const cv::Rect &box)
{
    cv::Mat face;
    auto recognizer = cv::face::LBPHFaceRecognizer::create(1, 8, GRID, GRID);

    cv::resize(grey(box), face, {FACE_SIDE, FACE_SIDE}, 0, 0, cv::INTER_AREA);
    cv::equalizeHist(face, face);
    recognizer->train(std::vector<cv::Mat>{face}, std::vector<int>{0});
    return recognizer->getHistograms()[0].reshape(1, 1).clone();
}

int recognize(void *self, const kith_image *image, kith_result *result, char *error, size_t error_size)
{
    try {
        instance &me = *static_cast<instance *>(self);
        const cv::Mat rgb(static_cast<int>(image->height), static_cast<int>(image->width), CV_8UC3,
                          const_cast<uint8_t *>(image->rgb), image->stride);
        const int min_side = std::max(20, static_cast<int>(me.min_face * image->scale));
        std::vector<cv::Rect> boxes;
        std::vector<int> levels;
        std::vector<double> weights;
        cv::Mat grey;

        cv::cvtColor(rgb, grey, cv::COLOR_RGB2GRAY);
        me.cascade.detectMultiScale(grey, boxes, levels, weights, 1.1, 4, 0, {min_side, min_side}, {}, true);
        me.faces.clear();
        me.histograms.clear();
        for (size_t i = 0; i < boxes.size() && i < image->max_faces; i++)
            me.histograms.push_back(compute_histogram(grey, boxes[i]));
        for (size_t i = 0; i < me.histograms.size(); i++) {
            kith_face f{};

            f.size = sizeof f;
            f.x = static_cast<float>(boxes[i].x);
            f.y = static_cast<float>(boxes[i].y);
            f.width = static_cast<float>(boxes[i].width);
            f.height = static_cast<float>(boxes[i].height);
            f.quality = static_cast<float>(std::clamp(weights[i] / 10, 0.0, 1.0)); // confidence of the last stage
            f.embedding = me.histograms[i].ptr<float>();
            me.faces.push_back(f);
        }
        result->faces = me.faces.data();
        result->face_count = static_cast<uint32_t>(me.faces.size());
        return KITH_OK;
    } catch (const std::exception &e) {
        set_error(error, error_size, e.what());
    } catch (...) {
        set_error(error, error_size, "OpenCV threw an unknown exception");
    }
    return KITH_FAILED;
}

int health(void *self, char *error, size_t error_size)
{
    if (!static_cast<instance *>(self)->cascade.empty())
        return KITH_OK;
    set_error(error, error_size, "the cascade is empty");
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
    "lbph",
    CV_VERSION,
    "opencv-lbph-8x8-128",
    KITH_METRIC_CHI_SQUARE,
    DIMENSION,
    40,
    1280,
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
