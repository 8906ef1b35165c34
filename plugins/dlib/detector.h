// Detects faces with dlib's frontal HOG detector, with its CNN, or with HOG and then the CNN where HOG finds no face or
// only small ones (KITH_DETECTOR=hog, cnn or hard). One thread at a time.
//
// HOG detects faces of at least 80 pixels. The image is converted to grey and scaled so that the smallest requested
// face has 80 pixels: down when that face is larger; up by two, once, when it is smaller and the first pass found none.
// The conversion to grey lowers the score by 0.1 (measured: 0.11 on press photos), which is added back.
#ifndef KITH_PLUGINS_DLIB_DETECTOR_H
#define KITH_PLUGINS_DLIB_DETECTOR_H

#include "plugins/dlib/types.h"

#include <memory>
#include <vector>

namespace dlib_recognizer
{
enum class detector_kind { HOG, CNN, HOG_THEN_CNN };

class detector
{
  public:
    // `folder` holds the model file of the CNN; HOG has none. Throws std::runtime_error.
    detector(detector_kind kind, const std::string &folder);
    ~detector();

    // Faces at least `min_width` pixels wide, in no order.
    std::vector<detection> find(const rgb_image &image, double min_width);

  private:
    struct hog_detector;
    struct cnn_detector;

    std::unique_ptr<hog_detector> hog;
    std::unique_ptr<cnn_detector> cnn;
};
} // namespace dlib_recognizer
#endif
