// dlib's frontal face detector, its weights and its rules on the arithmetic of hog.h and filters.h: the same faces, in
// a fraction of the time.
#ifndef KITH_PLUGINS_DLIB_FRONTAL_FRONTAL_H
#define KITH_PLUGINS_DLIB_FRONTAL_FRONTAL_H

#include "plugins/dlib/frontal/filters.h"
#include "plugins/dlib/frontal/hog.h"
#include "plugins/dlib/frontal/shrink.h"

#include <dlib/image_processing/box_overlap_testing.h>

#include <vector>

namespace dlib_recognizer
{
class frontal
{
  public:
    frontal();

    // Those whose score is above the detector's own threshold by `adjust` or more, the best first; none overlaps a
    // better one. Scores are relative to the detector's own threshold.
    std::vector<found> find(const grey_picture &grey, double adjust);

  private:
    hog::filters windows;
    std::vector<double> thresholds;
    dlib::test_box_overlap overlap;
    int inner; // cells of a window that are the face
    long least_width, least_height;
    // What is kept between pictures.
    hog::features features;
    shrinker smaller;
    hog::fits fits;

    void look(const grey_picture &level, unsigned number, double adjust, std::vector<found> &out);
};
} // namespace dlib_recognizer
#endif
