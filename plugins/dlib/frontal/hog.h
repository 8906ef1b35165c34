// HOG features with vector instructions.
//
// Equivalent to dlib's extract_fhog_features (cells of 8 pixels; Felzenszwalb et al. 2010, PAMI 32:9: 18 signed
// orientations, 9 unsigned ones, 4 texture features), which is compiled for any x86-64 and slower. Pure functions; any
// thread.
#ifndef KITH_PLUGINS_DLIB_FRONTAL_HOG_H
#define KITH_PLUGINS_DLIB_FRONTAL_HOG_H

#include <cstddef>
#include <vector>

namespace hog
{
constexpr int CELL = 8, PLANES = 31;
constexpr int WINDOW = 10;              // side in cells of a window of dlib's frontal face detector
constexpr int ORIENTATIONS = 18;        // signed gradient orientations
constexpr int ORIENTATIONS_STRIDE = 24; // padded to whole vectors

// PLANES planes of (height + WINDOW - 1) × stride: the features of height × width cells with a border of zeros.
struct features {
    int height = 0, width = 0;
    size_t stride = 0, plane = 0; // plane: floats in a plane
    std::vector<float> values;

    // Buffers of extract(), kept between images.
    std::vector<float> histograms, norms, line;
    std::vector<float> pixels; // three rows
    std::vector<float> squares, lefts, rights;
    std::vector<int> orientations;
};

// Extracts the features of rows × columns pixels without gaps. An image of fewer than 3 cells in a direction has none:
// height 0.
void extract(const unsigned char *grey, int rows, int columns, features &out);
} // namespace hog
#endif
