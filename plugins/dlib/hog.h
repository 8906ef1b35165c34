// The arithmetic of the HOG detector, by this CPU's vectors: features of a grey picture, and windows slid over them.
//
// It computes what dlib's extract_fhog_features and its dense filters do (cells of 8 pixels; Felzenszwalb et al. 2010,
// PAMI 32:9: 18 directions that tell light from dark, 9 that do not, 4 of texture), only faster: dlib's is compiled for
// any x86-64, and takes its filters apart into many thin ones. Pure functions; any thread.
#ifndef KITH_PLUGINS_DLIB_HOG_H
#define KITH_PLUGINS_DLIB_HOG_H

#include <cstddef>
#include <vector>

namespace hog
{
constexpr int CELL = 8, PLANES = 31;
constexpr int TOGETHER = 5;         // windows that are slid together: dlib's frontal detector has five
constexpr int BLOCK = 16;           // columns at a time
constexpr int DIRECTIONS = 18;      // of a gradient
constexpr int DIRECTIONS_ROOM = 24; // with room for whole vectors

struct features { // planes of (height + window - 1) × stride, zeros around the picture's own height × width
    int height = 0, width = 0, window = 0;
    size_t stride = 0, plane = 0; // plane: numbers of one
    std::vector<float> values;

    // What the next two keep between pictures.
    std::vector<float> histograms, norms, line;
    std::vector<float> pixels; // of three rows
    std::vector<float> squares, lefts, rights;
    std::vector<int> directions;
};

// Of rows × columns pixels without gaps; the window is so many cells wide and high. A picture of fewer than 3 cells has
// no features: height 0.
void extract(const unsigned char *grey, int rows, int columns, int window, features &out);

// weights[PLANES][window][window][TOGETHER]; scores[y × f.stride + x][TOGETHER planes of f.height × f.stride]: how well
// each window fits where its first cell is (y, x).
void slide(const features &f, const float *weights, std::vector<float> &scores);
} // namespace hog
#endif
