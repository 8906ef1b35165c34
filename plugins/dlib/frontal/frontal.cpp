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
using pyramid = dlib::pyramid_down<6>; // as in dlib's detector

// Decomposes the weights of a window on one plane into separable filters. Singular values of the size of rounding
// errors are dropped.
void separate(const dlib::matrix<double> &weights, int plane, int detector, hog::filter_bank &to)
{
    constexpr double NEGLIGIBLE = 1e-9; // relative to the largest singular value
    dlib::matrix<double> columns, values, rows;

    dlib::svd(weights, columns, values, rows);
    const dlib::matrix<double, 0, 1> singular = dlib::diag(values);

    for (long k = 0; k < singular.size(); k++) {
        hog::separable_filter filter{detector, {}, {}};

        if (singular(k) <= NEGLIGIBLE * dlib::max(singular))
            continue;
        for (int i = 0; i < hog::WINDOW; i++) {
            filter.column[i] = static_cast<float>(columns(i, k) * singular(k));
            filter.row[i] = static_cast<float>(rows(i, k));
        }
        to.add(plane, filter);
    }
}
} // namespace

frontal_detector::frontal_detector()
{
    const dlib::frontal_face_detector detector = dlib::get_frontal_face_detector();
    const auto &scanner = detector.get_scanner();
    constexpr long CELLS = hog::WINDOW * hog::WINDOW;

    if (scanner.get_fhog_window_width() != hog::WINDOW || scanner.get_fhog_window_height() != hog::WINDOW ||
        scanner.get_cell_size() != hog::CELL || scanner.get_num_dimensions() != hog::PLANES * CELLS)
        throw std::runtime_error("this version of dlib has another frontal face detector");
    face_cells = hog::WINDOW - 2 * static_cast<int>(scanner.get_padding());
    min_width = static_cast<long>(scanner.get_min_pyramid_layer_width());
    min_height = static_cast<long>(scanner.get_min_pyramid_layer_height());
    overlap = detector.get_overlap_tester();
    for (unsigned long d = 0; d < detector.num_detectors(); d++) {
        const auto &w = detector.get_w(d);

        for (int p = 0; p < hog::PLANES; p++)
            separate(
                dlib::reshape(dlib::rowm(w, dlib::range(p * CELLS, p * CELLS + CELLS - 1)), hog::WINDOW, hog::WINDOW),
                p, static_cast<int>(d), filters);
        thresholds.push_back(w(scanner.get_num_dimensions())); // stored after the weights
    }
}

// Scans one level of the pyramid. dlib's own functions map a window to the image, so that boxes are the same.
void frontal_detector::scan_level(const grey_image &level, unsigned number, double adjust, std::vector<detection> &out)
{
    const dlib::default_fhog_feature_extractor places;
    const pyramid levels;

    hog::extract(&level(0, 0), static_cast<int>(level.nr()), static_cast<int>(level.nc()), features);
    filters.evaluate(features, scores);
    for (size_t d = 0; d < thresholds.size(); d++)
        for (int y = 0; y < features.height; y++)
            for (int x = 0; x < features.width; x++) {
                const double score = static_cast<double>(
                    scores.values[d * scores.plane + static_cast<size_t>(y) * scores.stride + static_cast<size_t>(x)]);

                if (score < thresholds[d] + adjust)
                    continue;
                const dlib::point centre(x + hog::WINDOW / 2, y + hog::WINDOW / 2);
                const auto size = static_cast<unsigned long>(face_cells);

                out.push_back({levels.rect_up(places.feats_to_image(dlib::centered_rect(centre, size, size), hog::CELL,
                                                                    hog::WINDOW, hog::WINDOW),
                                              number),
                               score - thresholds[d]});
            }
}

std::vector<detection> frontal_detector::find(const grey_image &grey, double adjust)
{
    std::vector<detection> all, kept;
    const pyramid steps;
    dlib::rectangle size = dlib::get_rect(grey);
    grey_image level, next;

    for (unsigned number = 0;; number++) {
        scan_level(number == 0 ? grey : level, number, adjust, all);
        size = steps.rect_down(size);
        if (static_cast<long>(size.width()) < min_width || static_cast<long>(size.height()) < min_height)
            break;
        reduce(number == 0 ? grey : level, next);
        std::swap(level, next);
    }
    std::stable_sort(all.begin(), all.end(), [](const detection &a, const detection &b) { return a.score > b.score; });
    for (const detection &f : all)
        if (std::none_of(kept.begin(), kept.end(), [&](const detection &k) { return overlap(k.box, f.box); }))
            kept.push_back(f);
    return kept;
}
} // namespace dlib_recognizer
