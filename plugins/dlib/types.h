// Types shared by the parts of the dlib recogniser.
#ifndef KITH_PLUGINS_DLIB_TYPES_H
#define KITH_PLUGINS_DLIB_TYPES_H

#include <dlib/geometry.h>
#include <dlib/matrix.h>
#include <dlib/pixel.h>
#include <dlib/serialize.h>

#include <array>
#include <stdexcept>
#include <string>

namespace dlib_recognizer
{
constexpr unsigned CHIP_SIDE = 150, DIMENSION = 128;

using rgb_image = dlib::matrix<dlib::rgb_pixel>;
using embedding = std::array<float, DIMENSION>;

struct detection {
    dlib::rectangle box; // in pixels of the scanned image
    double score;        // margin above the detector's threshold
};

// Loads a model. Throws std::runtime_error with the name of the file when it cannot be read as such a model.
template <typename model> void load(model &m, const std::string &file)
{
    try {
        dlib::deserialize(file) >> m;
    } catch (const std::exception &e) {
        throw std::runtime_error("model file " + file + " (KITH_MODELS): " + e.what());
    }
}
} // namespace dlib_recognizer
#endif
