// dlib's frontal face detector, its weights and its rules on the arithmetic of hog.h: the same faces, in a quarter of
// the time.
#ifndef KITH_PLUGINS_DLIB_FRONTAL_H
#define KITH_PLUGINS_DLIB_FRONTAL_H

#include "hog.h"
#include "shrink.h"

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
    // Of the detector's windows in groups of hog::TOGETHER, as hog::slide() takes them.
    std::vector<std::vector<float>> weights;
    std::vector<double> thresholds;
    dlib::test_box_overlap overlap;
    int window, inner; // cells: of what is looked at, of the face in it
    long least_width, least_height;
    // What is kept between pictures.
    hog::features features;
    shrinker smaller;
    std::vector<float> scores;

    void look(const grey_picture &level, unsigned number, double adjust, std::vector<found> &out);
};
} // namespace dlib_recognizer
#endif
