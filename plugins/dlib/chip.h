// The chip of a face: turned upright, the face at its place, 150×150: the pixels of dlib's extract_image_chip, to the
// last bit, in a third of the time. Any thread.
#ifndef KITH_PLUGINS_DLIB_CHIP_H
#define KITH_PLUGINS_DLIB_CHIP_H

#include "plugins/dlib/types.h"

#include <dlib/image_processing/full_object_detection.h>

namespace dlib_recognizer
{
picture chip_of(const picture &from, const dlib::full_object_detection &face);
} // namespace dlib_recognizer
#endif
