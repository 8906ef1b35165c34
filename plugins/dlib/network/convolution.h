// A convolution as the plug-in holds it, between dlib's network and the ways to compute it.
#ifndef KITH_PLUGINS_DLIB_NETWORK_CONVOLUTION_H
#define KITH_PLUGINS_DLIB_NETWORK_CONVOLUTION_H

#include <vector>

namespace fast
{
struct convolution { // its affine layer is folded in
    int outputs, inputs, size, stride, padding;
    std::vector<float> weights; // [outputs][inputs][size][size]
    std::vector<float> bias;    // [outputs]
};

enum ending { RELU, NOTHING, SUM_RELU }; // SUM_RELU adds to what the output holds already
} // namespace fast
#endif
