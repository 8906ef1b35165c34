#include "plugins/dlib/chip.h"

#include "plugins/common/chip.h"

#include <dlib/image_transforms.h>

#include <vector>

namespace dlib_recognizer
{
namespace
{
// The bounding box of the chip in the image.
dlib::drectangle rotated_bounds(const dlib::chip_details &details)
{
    const dlib::dpoint middle = dlib::center(details.rect);
    dlib::drectangle around;

    for (const dlib::dpoint &corner :
         {details.rect.tl_corner(), details.rect.tr_corner(), details.rect.bl_corner(), details.rect.br_corner()})
        around += dlib::rotate_point<double>(middle, corner, details.angle);
    return around;
}

struct source { // of a chip
    common::rgb_view part;
    common::affine_map map;
};

// The part of the image around the chip with a border, and the map into it, computed as extract_image_chip does, with
// the same rounding.
source find_source(const rgb_image &from, const dlib::chip_details &details)
{
    constexpr double BORDER = 2;
    const dlib::rectangle part =
        dlib::rectangle(dlib::grow_rect(rotated_bounds(details), BORDER).intersect(get_rect(from)));
    const dlib::drectangle rect = dlib::translate_rect(details.rect, -dlib::dpoint(part.tl_corner()));
    const dlib::rectangle chip(0, 0, CHIP_SIDE - 1, CHIP_SIDE - 1);
    const auto rotated = [&](const dlib::dpoint &corner) {
        return dlib::rotate_point<double>(dlib::center(rect), corner, details.angle);
    };
    const std::vector<dlib::dpoint> inside{chip.tl_corner(), chip.tr_corner(), chip.bl_corner()};
    const std::vector<dlib::dpoint> outside{rotated(rect.tl_corner()), rotated(rect.tr_corner()),
                                            rotated(rect.bl_corner())};
    const dlib::point_transform_affine map = dlib::find_affine_transform(inside, outside);
    source s{{nullptr, static_cast<long>(part.width()), static_cast<long>(part.height()), from.nc() * 3}, {}};

    if (!part.is_empty())
        s.part.rgb = &from(part.top(), part.left()).red;
    for (int i = 0; i < 2; i++) {
        s.map.m[i][0] = map.get_m()(i, 0);
        s.map.m[i][1] = map.get_m()(i, 1);
        s.map.b[i] = map.get_b()(i);
    }
    return s;
}

// False where extract_image_chip does not sample the image itself: it takes a large face from a smaller level of a
// pyramid, and copies one that is upright and has the size of a chip.
bool is_sampled_directly(const dlib::chip_details &details)
{
    const dlib::pyramid_down<2> half;

    return half.rect_down(details.rect).area() <= static_cast<double>(details.size()) &&
           (details.angle < 0 || details.angle > 0);
}
} // namespace

rgb_image extract_chip(const rgb_image &from, const dlib::full_object_detection &face)
{
    constexpr double PADDING = 0.25; // of the chip, on each side
    const dlib::chip_details details = dlib::get_face_chip_details(face, CHIP_SIDE, PADDING);
    rgb_image chip;

    if (!is_sampled_directly(details)) {
        dlib::extract_image_chip(from, details, chip);
        return chip;
    }
    const source s = find_source(from, details);

    chip.set_size(CHIP_SIDE, CHIP_SIDE);
    common::sample_chip(s.part, s.map, CHIP_SIDE, &chip(0, 0).red);
    return chip;
}
} // namespace dlib_recognizer
