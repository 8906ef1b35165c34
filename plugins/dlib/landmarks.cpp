#include "plugins/dlib/landmarks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace dlib_recognizer
{
namespace
{
using forest = std::vector<dlib::impl::regression_tree>;

size_t round_up_to_4(long numbers)
{
    return static_cast<size_t>(numbers + 3) / 4 * 4;
}

void require(bool fits)
{
    if (!fits)
        throw dlib::serialization_error("the file holds no valid shape predictor");
}

// Coordinates are relative to the box of a face. Others would leave the range of pixel coordinates.
bool is_coordinate(float value)
{
    return std::abs(value) < 1e4f; // false for NaN
}
} // namespace

// The trees are independent: the CPU evaluates several at once.
void landmarks::find_leaves(const cascade &c)
{
    const size_t inner = leaves - 1, row = round_up_to_4(initial.size());

    reached_leaves.resize(c.trees);
    for (size_t t = 0; t < c.trees; t++) {
        const split *tree = c.splits.data() + t * inner; // a tree of one leaf has none
        size_t at = 0;

        while (at < inner)
            at = 2 * at + (pixels[tree[at].first] - pixels[tree[at].second] > tree[at].threshold ? 1 : 2);
        reached_leaves[t] = static_cast<uint16_t>(at - inner);
        __builtin_prefetch(&c.values[(t * leaves + reached_leaves[t]) * row]);
    }
}

// Four coordinates at a time, each the sum over the trees in their order.
void landmarks::add_leaves(const cascade &c, std::vector<float> &shape) const
{
    typedef float v4 __attribute__((vector_size(16)));

    for (size_t i = 0; i < shape.size(); i += 4) {
        v4 sum, value;

        std::memcpy(&sum, &shape[i], sizeof sum);
        for (size_t t = 0; t < c.trees; t++) {
            std::memcpy(&value, &c.values[(t * leaves + reached_leaves[t]) * shape.size() + i], sizeof value);
            sum += value;
        }
        std::memcpy(&shape[i], &sum, sizeof sum);
    }
}

dlib::full_object_detection landmarks::find(const rgb_image &from, const dlib::rectangle &box)
{
    const auto to_picture = dlib::impl::unnormalizing_tform(box);
    dlib::matrix<float, 0, 1> shape = initial;
    std::vector<float> numbers(round_up_to_4(initial.size()));
    std::vector<dlib::point> points;

    std::copy(initial.begin(), initial.end(), numbers.begin());
    for (const cascade &c : cascades) {
        dlib::impl::extract_feature_pixel_values(from, box, shape, initial, c.anchors, c.deltas, pixels);
        find_leaves(c);
        add_leaves(c, numbers);
        std::copy_n(numbers.begin(), shape.size(), shape.begin());
    }
    for (long i = 0; i < shape.size() / 2; i++)
        points.emplace_back(to_picture(dlib::impl::location(shape, static_cast<unsigned long>(i))));
    return {box, points};
}

void landmarks::add_tree(cascade &to, const dlib::impl::regression_tree &tree) const
{
    require(tree.leaf_values.size() == leaves && tree.splits.size() == leaves - 1);
    for (const auto &s : tree.splits) {
        require(s.idx1 < to.anchors.size() && s.idx2 < to.anchors.size());
        to.splits.push_back({static_cast<uint16_t>(s.idx1), static_cast<uint16_t>(s.idx2), s.thresh});
    }
    for (const auto &leaf : tree.leaf_values) {
        require(leaf.size() == initial.size() && std::all_of(leaf.begin(), leaf.end(), is_coordinate));
        to.values.insert(to.values.end(), leaf.begin(), leaf.end());
        to.values.resize(round_up_to_4(static_cast<long>(to.values.size())));
    }
}

void deserialize(landmarks &to, std::istream &in)
{
    std::vector<forest> forests;
    std::vector<std::vector<unsigned long>> anchors;
    std::vector<std::vector<dlib::vector<float, 2>>> deltas;
    int version = 0;

    dlib::deserialize(version, in);
    require(version == 1);
    dlib::deserialize(to.initial, in);
    dlib::deserialize(forests, in);
    dlib::deserialize(anchors, in);
    dlib::deserialize(deltas, in);
    const auto numbers = static_cast<size_t>(to.initial.size());

    require(!forests.empty() && !forests[0].empty() && anchors.size() == forests.size() &&
            deltas.size() == forests.size() && numbers > 0 && numbers % 2 == 0);
    require(std::all_of(to.initial.begin(), to.initial.end(), is_coordinate));
    to.leaves = forests[0][0].leaf_values.size();
    require(to.leaves > 0 && to.leaves <= UINT16_MAX && (to.leaves & (to.leaves - 1)) == 0);
    to.cascades.clear();
    for (size_t i = 0; i < forests.size(); i++) {
        landmarks::cascade c;

        require(anchors[i].size() == deltas[i].size() && anchors[i].size() <= UINT16_MAX);
        for (unsigned long anchor : anchors[i])
            require(anchor < numbers / 2);
        for (const auto &delta : deltas[i])
            require(is_coordinate(delta.x()) && is_coordinate(delta.y()));
        c.anchors = std::move(anchors[i]);
        c.deltas = std::move(deltas[i]);
        c.trees = forests[i].size();
        for (const auto &tree : forests[i])
            to.add_tree(c, tree);
        c.splits.shrink_to_fit();
        c.values.shrink_to_fit();
        forest().swap(forests[i]); // frees it before the next cascade is converted
        to.cascades.push_back(std::move(c));
    }
}
} // namespace dlib_recognizer
