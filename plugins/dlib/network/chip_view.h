// The input of the network: chips of a fixed size.
#ifndef KITH_PLUGINS_DLIB_NETWORK_CHIP_VIEW_H
#define KITH_PLUGINS_DLIB_NETWORK_CHIP_VIEW_H

namespace dlib_network
{
constexpr int SIDE = 150, DIMENSION = 128;

struct chip_view {            // a borrowed chip, read as stored or mirrored
    const unsigned char *rgb; // [SIDE][SIDE][3]
    bool mirrored;
};
} // namespace dlib_network
#endif
