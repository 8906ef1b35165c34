// Finds faces: dlib's frontal HOG detector, its CNN, or the CNN too where HOG sees nobody or only small faces
// (KITH_DETECTOR).
//
// HOG sees faces of 80 pixels and more. It looks at grey pixels, at the size at which the smallest face asked for has
// 80 of them: a picture is made smaller where faces may be larger, and twice as large, once, when nobody was found and
// smaller ones are asked for. Grey costs 0.1 of its margin (measured: 0.11 on press photos), which is given back.
#ifndef KITH_PLUGINS_DLIB_DETECTOR_H
#define KITH_PLUGINS_DLIB_DETECTOR_H

#include "plugins/dlib/types.h"

#include <memory>
#include <vector>

namespace dlib_recognizer
{
enum class eyes { HOG, CNN, HARD };

class detector
{
  public:
    // `folder` of the model files: only the CNN has one. Throws std::runtime_error.
    detector(eyes way, const std::string &folder);
    ~detector();

    // Faces at least `least` pixels wide, in no order.
    std::vector<found> find(const picture &pixels, double least);

  private:
    struct plain;
    struct cnn;

    std::unique_ptr<plain> quick;
    std::unique_ptr<cnn> deep;
};
} // namespace dlib_recognizer
#endif
