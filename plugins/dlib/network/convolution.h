// A convolution layer, independent of dlib and oneDNN.
#ifndef KITH_PLUGINS_DLIB_NETWORK_CONVOLUTION_H
#define KITH_PLUGINS_DLIB_NETWORK_CONVOLUTION_H

#include <vector>

namespace dlib_network
{
struct convolution { // with its affine layer folded in
    int outputs, inputs, size, stride, padding;
    std::vector<float> weights; // [outputs][inputs][size][size]
    std::vector<float> bias;    // [outputs]
};

enum epilogue { RELU, LINEAR, ADD_RELU }; // ADD_RELU adds the previous content of the output, then applies ReLU
} // namespace dlib_network
#endif
