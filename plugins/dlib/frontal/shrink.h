// One level of the detector's pyramid out of the one before, 5/6 of its size: the pixels of dlib's pyramid_down<6>, in
// a sixth of the time where the CPU has AVX2.
#ifndef KITH_PLUGINS_DLIB_FRONTAL_SHRINK_H
#define KITH_PLUGINS_DLIB_FRONTAL_SHRINK_H

#include "plugins/dlib/types.h"

#include <vector>

namespace dlib_recognizer
{
using grey_picture = dlib::matrix<unsigned char>;

class shrinker
{
  public:
    // `to` gets its size. Both are different pictures.
    void operator()(const grey_picture &from, grey_picture &to);

    struct columns {              // eight of them
        long at, first;           // of the new picture; of the old one, where its sixteen pixels begin
        unsigned char places[16]; // among those: the pixels left of each, then those right of it
        float fraction[8];        // how far from the left one
    };

  private:
    std::vector<columns> eights;
    std::vector<int> left;       // of each column: the pixel left of it,
    std::vector<float> fraction; // and how far from that it is
    long fours = 0;              // so many columns are computed by fours, in floats; the rest one by one

    void place_columns(long from, long to);
    void group(long from);
};
} // namespace dlib_recognizer
#endif
