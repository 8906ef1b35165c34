// A detector's windows slid over the features of hog.h, taken apart into sums of thin filters.
//
// A window's weights on one plane are a matrix of 10×10. Those of dlib's frontal face detector are of low rank, having
// been trained to be: on average the sum of two products of a column and a row, so 20 multiplications do what 100
// would.
//
//   features of a plane ─ each row of a product ─▶ lines ─ its column ─▶ added to the scores of its detector
//
// Pure functions but for what is kept between pictures; one thread at a time.
#ifndef KITH_PLUGINS_DLIB_FRONTAL_FILTERS_H
#define KITH_PLUGINS_DLIB_FRONTAL_FILTERS_H

#include "plugins/dlib/frontal/hog.h"

#include <cstddef>
#include <vector>

namespace hog
{
struct thin { // adds down[y] × across[x] to a detector's weights on one plane
    int detector;
    float down[WINDOW], across[WINDOW];
};

struct fits { // how well each window fits where its first cell is (y, x): values[detector × plane + y × stride + x]
    size_t stride = 0, plane = 0;
    std::vector<float> values;
};

class filters
{
  public:
    void add(int plane, const thin &part);
    void slide(const features &f, fits &out);

  private:
    std::vector<thin> parts[PLANES];
    int detectors = 0;
    std::vector<float> lines; // kept between pictures
};
} // namespace hog
#endif
