// Aligns a face: computes dlib's similarity transform from its landmarks and samples a chip of 150×150 pixels, the same
// to the last bit as dlib's extract_image_chip in a third of the time (plugins/common/chip.h). Any thread.
#ifndef KITH_PLUGINS_DLIB_CHIP_H
#define KITH_PLUGINS_DLIB_CHIP_H

#include "plugins/dlib/types.h"

#include <dlib/image_processing/full_object_detection.h>

namespace dlib_recognizer
{
rgb_image extract_chip(const rgb_image &from, const dlib::full_object_detection &face);
} // namespace dlib_recognizer
#endif
