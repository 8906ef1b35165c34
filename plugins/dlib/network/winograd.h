// Convolutions of stride 1 by Winograd's minimal filtering algorithms (Lavin and Gray, Fast Algorithms for
// Convolutional Neural Networks, 2015): a tile of m×m outputs of an r×r filter takes (m + r - 1)² multiplications for
// each pair of channels instead of m²r², and some additions.
//
//   tile of the input ─ Bᵀ d B ─▶ V ─┐
//                                    ├─ a product of matrices for each of (m + r - 1)² points ─▶ M ─ Aᵀ M A ─▶ outputs
//   weights, once     ─ G g Gᵀ ─▶ U ─┘
//
// oneDNN implements this for AVX-512 and 4×4 tiles only. A 35×35 layer of 32 channels needs 21 % of its
// multiplications. Memory bandwidth is then the limit, because U is up to seven times as large as the weights: U is
// quantized to 16 bits and prefetched. This changes outputs by less than 1e-3 of a layer's largest one, embeddings (of
// norm 1.4) by 7e-5 in each element.
//
// Layers with few outputs gain nothing by tiles. They are computed as a matrix product (im2col), with weights of 16
// bits too.
//
// Layout: channels in groups of `lanes`, as oneDNN's nChw8c and nChw16c: [image][group][side][side][lanes].
#ifndef KITH_PLUGINS_DLIB_NETWORK_WINOGRAD_H
#define KITH_PLUGINS_DLIB_NETWORK_WINOGRAD_H

#include "plugins/dlib/network/aligned.h"
#include "plugins/dlib/network/convolution.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace dlib_network
{
enum class instructions { PLAIN, AVX2, AVX512 }; // AVX2 with FMA

// The best instruction set of this CPU for groups of `lanes` channels. PLAIN works everywhere and is slower than
// oneDNN's direct convolution.
instructions instructions_for(int lanes);

// A convolution of images of one size. It holds weights only: plans share it.
class winograd
{
  public:
    // Supported: stride 1 with filters of 3×3 or 4×4; as a matrix product, any filter without padding whose input
    // channels are a multiple of `lanes`. Inputs must be a multiple of 4, outputs of 2 × lanes; else
    // std::runtime_error.
    winograd(const convolution &k, int input_side, int lanes, instructions with);

    int output_side() const
    {
        return out;
    }

    // Floats of working memory that run() needs for `count` images.
    size_t scratch(int count) const;

    // `from`: [count][inputs / lanes, rounded up][side][side][lanes]; `to`: the outputs in the same layout; `scratch`:
    // any content, aligned to cache lines for speed.
    void run(const float *from, float *to, int count, epilogue end, float *scratch) const;

  private:
    int inputs, outputs, in, out, padding, channels, filter, stride, lanes;
    int tile, points; // outputs and points of a tile in one direction
    instructions with;
    aligned_vector<int32_t> weights; // [outputs / 2 lanes][points²][inputs][lanes], two in each word, quantized
    aligned_vector<float> scales;    // [outputs / 2 lanes][points²][2 lanes]: value of one unit of a weight
    aligned_vector<float> bias;

    void allocate();
    void prepare_tiles(const convolution &k);
    void prepare_products(const convolution &k);
    void quantize_output(int o, const std::vector<double> &u);
    int tiles_at_a_time(int count) const;
};

// An equivalent of a convolution of stride 2 without padding: stride 1 on images of half the side, each of whose pixels
// holds four. Input (2y + r, 2x + c) of channel i becomes (y, x) of channel (2r + c) × inputs + i.
convolution space_to_depth(const convolution &k);
} // namespace dlib_network
#endif
