// dlib's frontal face detector with the faster arithmetic of hog.h and filters.h: the same weights and rules, and the
// same detections. An object keeps buffers between images: one thread at a time.
#ifndef KITH_PLUGINS_DLIB_FRONTAL_FRONTAL_H
#define KITH_PLUGINS_DLIB_FRONTAL_FRONTAL_H

#include "plugins/dlib/frontal/filters.h"
#include "plugins/dlib/frontal/hog.h"
#include "plugins/dlib/frontal/pyramid.h"

#include <dlib/image_processing/box_overlap_testing.h>

#include <vector>

namespace dlib_recognizer
{
class frontal_detector
{
  public:
    frontal_detector();

    // Faces whose score is at least `adjust` above the detector's threshold, by descending score; none overlaps one
    // with a higher score. Scores are relative to the threshold.
    std::vector<detection> find(const grey_image &grey, double adjust);

  private:
    hog::filter_bank filters;
    std::vector<double> thresholds;
    dlib::test_box_overlap overlap;
    int face_cells;             // side of the face within a window, in cells
    long min_width, min_height; // of a pyramid level
    // Buffers, kept between images.
    hog::features features;
    pyramid_reducer reduce;
    hog::score_map scores;

    void scan_level(const grey_image &level, unsigned number, double adjust, std::vector<detection> &out);
};
} // namespace dlib_recognizer
#endif
