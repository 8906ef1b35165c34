// The chip of a face: turned upright, the face at its place, 150×150. dlib's extract_image_chip does it, with the
// arithmetic of its interpolate_bilinear written out: the same pixels in three quarters of the time.
#ifndef KITH_PLUGINS_DLIB_CHIP_H
#define KITH_PLUGINS_DLIB_CHIP_H

#include "types.h"

#include <dlib/image_transforms/interpolation.h>

namespace dlib_recognizer
{
struct bilinear {
    // False, and nothing in `to`, where any of the four pixels around `p` is outside.
    template <typename view>
    bool operator()(const view &from, const dlib::vector<double, 2> &p, dlib::rgb_pixel &to) const
    {
        const long x = floor(p.x()), y = floor(p.y());

        if (x < 0 || y < 0 || x + 1 >= from.nc() || y + 1 >= from.nr())
            return false;
        const double right = p.x() - static_cast<double>(x), below = p.y() - static_cast<double>(y);
        const dlib::rgb_pixel *top = &from[y][x], *bottom = &from[y + 1][x];
        const auto mix = [&](unsigned char tl, unsigned char tr, unsigned char bl, unsigned char br) {
            return static_cast<unsigned char>((1 - below) * ((1 - right) * tl + right * tr) +
                                              below * ((1 - right) * bl + right * br));
        };

        to.red = mix(top[0].red, top[1].red, bottom[0].red, bottom[1].red);
        to.green = mix(top[0].green, top[1].green, bottom[0].green, bottom[1].green);
        to.blue = mix(top[0].blue, top[1].blue, bottom[0].blue, bottom[1].blue);
        return true;
    }

  private:
    static long floor(double value) // in a line: the library's is a call
    {
        const long whole = static_cast<long>(value);

        return whole - (static_cast<double>(whole) > value);
    }
};

inline picture chip_of(const picture &from, const dlib::full_object_detection &face)
{
    constexpr double PADDING = 0.25; // of the chip, on each side
    picture chip;

    dlib::extract_image_chip(from, dlib::get_face_chip_details(face, CHIP_SIDE, PADDING), chip, bilinear());
    return chip;
}
} // namespace dlib_recognizer
#endif
