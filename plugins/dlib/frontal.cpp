#include "frontal.h"

#include <dlib/image_processing.h>
#include <dlib/image_processing/frontal_face_detector.h>
#include <dlib/image_transforms.h>

#include <algorithm>
#include <stdexcept>

namespace dlib_recognizer
{
namespace
{
using pyramid = dlib::pyramid_down<6>; // the detector's own
} // namespace

frontal::frontal()
{
    const dlib::frontal_face_detector detector = dlib::get_frontal_face_detector();
    const auto &scanner = detector.get_scanner();
    const unsigned long count = detector.num_detectors();
    const auto cells = static_cast<size_t>(scanner.get_fhog_window_width());

    if (cells != scanner.get_fhog_window_height() || scanner.get_cell_size() != hog::CELL)
        throw std::runtime_error("dlib's frontal face detector is not the one that is known here");
    window = static_cast<int>(cells);
    inner = window - 2 * static_cast<int>(scanner.get_padding());
    least_width = static_cast<long>(scanner.get_min_pyramid_layer_width());
    least_height = static_cast<long>(scanner.get_min_pyramid_layer_height());
    overlap = detector.get_overlap_tester();
    weights.assign((count + hog::TOGETHER - 1) / hog::TOGETHER,
                   std::vector<float>(hog::PLANES * cells * cells * hog::TOGETHER, 0.0f));
    for (unsigned long d = 0; d < count; d++) {
        const auto &w = detector.get_w(d);

        for (size_t i = 0; i < hog::PLANES * cells * cells; i++)
            weights[d / hog::TOGETHER][i * hog::TOGETHER + d % hog::TOGETHER] =
                static_cast<float>(w(static_cast<long>(i)));
        thresholds.push_back(w(scanner.get_num_dimensions())); // it stands behind the weights
    }
}

// One level of the pyramid. Where a window is on the picture follows dlib's own functions, corner by corner.
void frontal::look(const grey_picture &level, unsigned number, double adjust, std::vector<found> &out)
{
    const dlib::default_fhog_feature_extractor places;
    const pyramid levels;

    hog::extract(&level(0, 0), static_cast<int>(level.nr()), static_cast<int>(level.nc()), window, features);
    for (size_t group = 0; group < weights.size(); group++) {
        hog::slide(features, weights[group].data(), scores);
        for (size_t w = 0; w < hog::TOGETHER && group * hog::TOGETHER + w < thresholds.size(); w++) {
            const double threshold = thresholds[group * hog::TOGETHER + w];

            for (int y = 0; y < features.height; y++)
                for (int x = 0; x < features.width; x++) {
                    const double score =
                        scores[(w * static_cast<size_t>(features.height) + static_cast<size_t>(y)) * features.stride +
                               static_cast<size_t>(x)];

                    if (score < threshold + adjust)
                        continue;
                    const dlib::point middle(x + window / 2, y + window / 2);
                    const auto size = static_cast<unsigned long>(inner);

                    out.push_back({levels.rect_up(places.feats_to_image(dlib::centered_rect(middle, size, size),
                                                                        hog::CELL, window, window),
                                                  number),
                                   score - threshold});
                }
        }
    }
}

std::vector<found> frontal::find(const grey_picture &grey, double adjust)
{
    std::vector<found> all, kept;
    const pyramid steps;
    dlib::rectangle size = dlib::get_rect(grey);
    grey_picture level, next;

    for (unsigned number = 0;; number++) {
        look(number == 0 ? grey : level, number, adjust, all);
        size = steps.rect_down(size);
        if (static_cast<long>(size.width()) < least_width || static_cast<long>(size.height()) < least_height)
            break;
        smaller(number == 0 ? grey : level, next);
        std::swap(level, next);
    }
    std::stable_sort(all.begin(), all.end(), [](const found &a, const found &b) { return a.score > b.score; });
    for (const found &f : all)
        if (std::none_of(kept.begin(), kept.end(), [&](const found &k) { return overlap(k.box, f.box); }))
            kept.push_back(f);
    return kept;
}
} // namespace dlib_recognizer
