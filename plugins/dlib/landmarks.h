// dlib's shape predictor (Kazemi and Sullivan 2014, One Millisecond Face Alignment with an Ensemble of Regression
// Trees): the same model and, to the last bit, the same landmarks in half the time. A model has thousands of small
// trees. The trees of a cascade are stored together; all leaves are found first and then added in dlib's order. An
// object keeps buffers between faces: one thread at a time.
#ifndef KITH_PLUGINS_DLIB_LANDMARKS_H
#define KITH_PLUGINS_DLIB_LANDMARKS_H

#include "plugins/dlib/types.h"

#include <dlib/image_processing/full_object_detection.h>
#include <dlib/image_processing/shape_predictor.h>

#include <cstdint>
#include <istream>
#include <vector>

namespace dlib_recognizer
{
class landmarks
{
  public:
    // The landmarks of the face in `box`, in pixels of `from`.
    dlib::full_object_detection find(const rgb_image &from, const dlib::rectangle &box);

    // Reads a serialized dlib::shape_predictor. Throws dlib::serialization_error when it is invalid.
    friend void deserialize(landmarks &to, std::istream &in);

  private:
    struct split { // goes left when pixel `first` exceeds pixel `second` by more than the threshold
        uint16_t first, second;
        float threshold;
    };
    struct cascade {
        std::vector<unsigned long> anchors;         // for each sampled pixel: its nearest landmark
        std::vector<dlib::vector<float, 2>> deltas; // and the offset from it
        size_t trees = 0;
        std::vector<split> splits; // [trees][leaves - 1]
        std::vector<float> values; // [trees][leaves][2 × landmarks, padded to a multiple of 4]
    };
    dlib::matrix<float, 0, 1> initial; // mean shape: x, y of each landmark relative to the box, 0 to 1
    std::vector<cascade> cascades;
    size_t leaves = 0; // of a tree: a power of two
    // Buffers, kept between faces.
    std::vector<float> pixels;
    std::vector<uint16_t> reached_leaves;

    void add_tree(cascade &to, const dlib::impl::regression_tree &tree) const;
    void find_leaves(const cascade &c);
    void add_leaves(const cascade &c, std::vector<float> &shape) const;
};
} // namespace dlib_recognizer
#endif
