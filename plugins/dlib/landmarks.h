// dlib's shape predictor (one millisecond face alignment by trees, Kazemi and Sullivan 2014), its model and its
// answers: the same to the last bit, in half the time. A model has thousands of small trees; here those of a
// cascade lie together, all first find their leaves, and then the leaves are added up in dlib's order.
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
    // The points of the face in `box`, in pixels of `from`.
    dlib::full_object_detection find(const picture &from, const dlib::rectangle &box);

    // Reads what dlib wrote of a shape_predictor. Throws dlib::serialization_error when it is something else.
    friend void deserialize(landmarks &to, std::istream &in);

  private:
    struct split { // whether pixel `one` is brighter than `other` by more
        uint16_t one, other;
        float more;
    };
    struct cascade {
        std::vector<unsigned long> anchors; // of each pixel that is looked at: the point it is near to
        std::vector<dlib::vector<float, 2>> deltas;
        size_t trees = 0;
        std::vector<split> splits; // [trees][leaves - 1]
        std::vector<float> values; // [trees][leaves][2 × points, filled up to fours]
    };
    dlib::matrix<float, 0, 1> initial; // x, y of each point within the box, from 0 to 1
    std::vector<cascade> cascades;
    size_t leaves = 0; // of each tree: a power of two
    // What is kept between faces.
    std::vector<float> pixels;
    std::vector<uint16_t> reached;

    void add_tree(cascade &to, const dlib::impl::regression_tree &tree) const;
    void find_leaves(const cascade &c);
    void add_leaves(const cascade &c, std::vector<float> &shape) const;
};
} // namespace dlib_recognizer
#endif
