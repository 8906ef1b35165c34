// Samples a chip, a square image of an aligned face, from an image. For recognisers with any alignment: the caller
// gives the affine map. Pure functions; any thread.
#ifndef KITH_PLUGINS_COMMON_CHIP_H
#define KITH_PLUGINS_COMMON_CHIP_H

namespace common
{
struct rgb_view { // borrowed pixels
    const unsigned char *rgb;
    long width, height, stride; // stride: bytes from row to row
};

struct affine_map { // (x, y) of the chip is at m (x, y) + b of the image
    double m[2][2], b[2];
};

// Fills `chip`, side × side × 3 bytes, by bilinear interpolation in double precision; a pixel whose four neighbours are
// not all within the view becomes black. The result is the same to the last bit on every CPU, and the same as that of
// dlib's transform_image with interpolate_bilinear.
void sample_chip(const rgb_view &from, const affine_map &map, int side, unsigned char *chip);
} // namespace common
#endif
