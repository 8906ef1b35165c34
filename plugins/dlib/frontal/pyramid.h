// Reduces an image to the next level of the detector's pyramid, 5/6 of its size. The pixels equal those of dlib's
// pyramid_down<6>; with AVX2 it takes a sixth of the time.
#ifndef KITH_PLUGINS_DLIB_FRONTAL_PYRAMID_H
#define KITH_PLUGINS_DLIB_FRONTAL_PYRAMID_H

#include "plugins/dlib/types.h"

#include <vector>

namespace dlib_recognizer
{
using grey_image = dlib::matrix<unsigned char>;

class pyramid_reducer
{
  public:
    // Sets the size of `to`, which must be another image than `from`.
    void operator()(const grey_image &from, grey_image &to);

    struct column_group {         // eight columns
        long target, source;      // first column of the result; first of the sixteen source pixels
        unsigned char places[16]; // within those: the left neighbour of each column, then the right neighbours
        float fraction[8];        // position between the two neighbours
    };

  private:
    std::vector<column_group> groups;
    std::vector<int> left;       // left neighbour of each column
    std::vector<float> fraction; // position between it and the right neighbour
    long vector_columns = 0;     // dlib computes so many columns in float, four at a time, the rest in double

    void compute_positions(long from, long to);
    void make_groups(long from);
};
} // namespace dlib_recognizer
#endif
