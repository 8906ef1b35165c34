// Evaluates the linear filters of a sliding-window detector on the features of hog.h, as sums of separable filters.
//
// The weights of a window on one feature plane are a 10×10 matrix. Those of dlib's frontal face detector have a low
// rank, for which it was trained: on average they are the sum of two products of a column and a row, each of which
// takes 20 multiplications instead of the 100 of the matrix.
//
//   features of a plane ─ row of a separable filter ─▶ row sums ─ its column ─▶ added to the scores of its detector
//
// An object keeps buffers between images: one thread at a time.
#ifndef KITH_PLUGINS_DLIB_FRONTAL_FILTERS_H
#define KITH_PLUGINS_DLIB_FRONTAL_FILTERS_H

#include "plugins/dlib/frontal/hog.h"

#include <cstddef>
#include <vector>

namespace hog
{
struct separable_filter { // adds column[y] × row[x] to the weights of a detector on one plane
    int detector;
    float column[WINDOW], row[WINDOW];
};

// Scores of all windows: values[detector × plane + y × stride + x] for the window whose first cell is (y, x).
struct score_map {
    size_t stride = 0, plane = 0;
    std::vector<float> values;
};

class filter_bank
{
  public:
    void add(int plane, const separable_filter &filter);
    void evaluate(const features &f, score_map &out);

  private:
    std::vector<separable_filter> filters[PLANES];
    int detectors = 0;
    std::vector<float> row_sums; // buffer, kept between images
};
} // namespace hog
#endif
