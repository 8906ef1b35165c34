// Convolutions of stride 1 with fewer multiplications, by the minimal filtering algorithms of Winograd (Lavin and Gray,
// Fast Algorithms for Convolutional Neural Networks, 2015): a tile of m×m outputs of an r×r filter takes (m + r - 1)²
// multiplications for each pair of channels instead of m²r², and some additions.
//
//   tile of the input ─ Bᵀ d B ─▶ V ─┐
//                                    ├─ a product of matrices for each of (m + r - 1)² points ─▶ M ─ Aᵀ M A ─▶ outputs
//   weights, once     ─ G g Gᵀ ─▶ U ─┘
//
// oneDNN has this for AVX-512 only, and for 4×4 tiles. Here a 35×35 layer of 32 channels keeps 21 % of its products.
// What is left to wait for is memory: U is up to seven times as large as the weights. So it is kept in 16 bits, and the
// next page of it asked for while one is used. That changes outputs by less than 1e-3 of a layer's largest, embeddings
// (of length 1.4) by 7e-5 a number.
//
// Layers of few outputs gain nothing by tiles: they are plain products of what each output is made of, and have their
// weights in 16 bits as well.
//
// Data: channels lie together in groups of `lanes`, as oneDNN's nChw8c and nChw16c: [image][group][side][side][lanes].
#ifndef KITH_PLUGINS_DLIB_NETWORK_WINOGRAD_H
#define KITH_PLUGINS_DLIB_NETWORK_WINOGRAD_H

#include "plugins/dlib/network/aligned.h"
#include "plugins/dlib/network/convolution.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fast
{
enum class instructions { PLAIN, AVX2, AVX512 }; // AVX2 with FMA

// What this CPU has for groups of so many channels. PLAIN is right, and slower than oneDNN's direct way.
instructions instructions_for(int lanes);

// One convolution on pictures of one size. Holds no picture: any number of plans share it.
class winograd
{
  public:
    // Which it can do: stride 1 and filters of 3×3 or 4×4, or as plain products any without padding of whole groups of
    // channels; inputs a multiple of 4, outputs of twice the lanes.
    winograd(const convolution &k, int input_side, int lanes, instructions with);

    int output_side() const
    {
        return out;
    }

    // Floats that `run` needs to work in for `count` pictures.
    size_t scratch(int count) const;

    // `from`: [count][inputs / lanes, rounded up][side][side][lanes]. `to`: the outputs alike. `scratch`: any content,
    // best aligned.
    void run(const float *from, float *to, int count, ending end, float *scratch) const;

  private:
    int inputs, outputs, in, out, padding, channels, filter, stride, lanes;
    int tile, points; // points: of a tile, in one direction
    instructions with;
    aligned_vector<int32_t> weights; // [outputs / 2 lanes][points²][inputs][lanes], two in a word, in units of
    aligned_vector<float> measures;  // [outputs / 2 lanes][points²][2 lanes]
    aligned_vector<float> bias;

    void make_room();
    void make_tiles(const convolution &k);
    void make_products(const convolution &k);
    void keep(int o, const std::vector<double> &u);
    int tiles_at_a_time(int count) const;
};

// A convolution of stride 2 without padding as one of stride 1 on pictures of half the side, each of whose pixels holds
// four: input (2y + r, 2x + c) of channel i becomes (y, x) of channel (2r + c) × inputs + i.
convolution halved(const convolution &k);
} // namespace fast
#endif
