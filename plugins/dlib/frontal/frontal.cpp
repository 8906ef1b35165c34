#include "plugins/dlib/frontal/frontal.h"

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

// A window's weights on one plane as a sum of products: singular values that are no more than rounding are left out.
void separate(const dlib::matrix<double> &weights, int plane, int detector, hog::filters &to)
{
    constexpr double NOTHING = 1e-9; // of the largest
    dlib::matrix<double> down, values, across;

    dlib::svd(weights, down, values, across);
    const dlib::matrix<double, 0, 1> worth = dlib::diag(values);

    for (long k = 0; k < worth.size(); k++) {
        hog::thin part{detector, {}, {}};

        if (worth(k) <= NOTHING * dlib::max(worth))
            continue;
        for (int i = 0; i < hog::WINDOW; i++) {
            part.down[i] = static_cast<float>(down(i, k) * worth(k));
            part.across[i] = static_cast<float>(across(i, k));
        }
        to.add(plane, part);
    }
}
} // namespace

frontal::frontal()
{
    const dlib::frontal_face_detector detector = dlib::get_frontal_face_detector();
    const auto &scanner = detector.get_scanner();
    constexpr long CELLS = hog::WINDOW * hog::WINDOW;

    if (scanner.get_fhog_window_width() != hog::WINDOW || scanner.get_fhog_window_height() != hog::WINDOW ||
        scanner.get_cell_size() != hog::CELL || scanner.get_num_dimensions() != hog::PLANES * CELLS)
        throw std::runtime_error("dlib's frontal face detector is not the one that is known here");
    inner = hog::WINDOW - 2 * static_cast<int>(scanner.get_padding());
    least_width = static_cast<long>(scanner.get_min_pyramid_layer_width());
    least_height = static_cast<long>(scanner.get_min_pyramid_layer_height());
    overlap = detector.get_overlap_tester();
    for (unsigned long d = 0; d < detector.num_detectors(); d++) {
        const auto &w = detector.get_w(d);

        for (int p = 0; p < hog::PLANES; p++)
            separate(
                dlib::reshape(dlib::rowm(w, dlib::range(p * CELLS, p * CELLS + CELLS - 1)), hog::WINDOW, hog::WINDOW),
                p, static_cast<int>(d), windows);
        thresholds.push_back(w(scanner.get_num_dimensions())); // it stands behind the weights
    }
}

// One level of the pyramid. Where a window is on the picture follows dlib's own functions, corner by corner.
void frontal::look(const grey_picture &level, unsigned number, double adjust, std::vector<found> &out)
{
    const dlib::default_fhog_feature_extractor places;
    const pyramid levels;

    hog::extract(&level(0, 0), static_cast<int>(level.nr()), static_cast<int>(level.nc()), features);
    windows.slide(features, fits);
    for (size_t d = 0; d < thresholds.size(); d++)
        for (int y = 0; y < features.height; y++)
            for (int x = 0; x < features.width; x++) {
                const double score = static_cast<double>(
                    fits.values[d * fits.plane + static_cast<size_t>(y) * fits.stride + static_cast<size_t>(x)]);

                if (score < thresholds[d] + adjust)
                    continue;
                const dlib::point middle(x + hog::WINDOW / 2, y + hog::WINDOW / 2);
                const auto size = static_cast<unsigned long>(inner);

                out.push_back({levels.rect_up(places.feats_to_image(dlib::centered_rect(middle, size, size), hog::CELL,
                                                                    hog::WINDOW, hog::WINDOW),
                                              number),
                               score - thresholds[d]});
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
