// The features a HOG detector looks at, by this CPU's vectors.
//
// It computes what dlib's extract_fhog_features does (cells of 8 pixels; Felzenszwalb et al. 2010,
// PAMI 32:9: 18 directions that tell light from dark, 9 that do not, 4 of texture), only faster: dlib's is compiled for
// any x86-64. Pure functions; any thread.
#ifndef KITH_PLUGINS_DLIB_FRONTAL_HOG_H
#define KITH_PLUGINS_DLIB_FRONTAL_HOG_H

#include <cstddef>
#include <vector>

namespace hog
{
constexpr int CELL = 8, PLANES = 31;
constexpr int WINDOW = 10;          // cells, as the windows of dlib's frontal face detector
constexpr int DIRECTIONS = 18;      // of a gradient
constexpr int DIRECTIONS_ROOM = 24; // with room for whole vectors

struct features { // planes of (height + WINDOW - 1) × stride, zeros around the picture's own height × width
    int height = 0, width = 0;
    size_t stride = 0, plane = 0; // plane: numbers of one
    std::vector<float> values;

    // What the next two keep between pictures.
    std::vector<float> histograms, norms, line;
    std::vector<float> pixels; // of three rows
    std::vector<float> squares, lefts, rights;
    std::vector<int> directions;
};

// Of rows × columns pixels without gaps. A picture of fewer than 3 cells has no features: height 0.
void extract(const unsigned char *grey, int rows, int columns, features &out);
} // namespace hog
#endif
