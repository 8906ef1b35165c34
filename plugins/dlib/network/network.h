// The embedding network of dlib_face_recognition_resnet_model_v1. Layers of stride 1 and the last layers use
// winograd.h, the others oneDNN.
//
// dlib reads the model file. Affine layers are folded into the convolutions before them; ReLU and residual sums are
// fused into the convolutions. oneDNN selects instructions at run time, so the binary runs on any x86-64 CPU.
//
// Structure (Davis King's example dnn_face_recognition_ex, public domain), outputs for a chip of 150×150:
//
//   7×7/2 conv, ReLU [32,72,72] ─ max 3×3/2 [32,35,35] ─ 3 blocks of 32 ─ down to 64 [17,17], 3 blocks ─
//   down to 128 [8,8], 2 blocks ─ down to 256 [4,4], 2 blocks ─ down to 256 [2,2] ─ mean ─ 256×128
//
// A block: X ← ReLU(X + conv3×3(ReLU(conv3×3(X)))). A downsampling block has stride 2 and no padding in its first
// convolution, twice the channels (except the last), and adds the 2×2 mean of X; a smaller operand is padded with
// zeros.
#ifndef KITH_PLUGINS_DLIB_NETWORK_NETWORK_H
#define KITH_PLUGINS_DLIB_NETWORK_NETWORK_H

#include "plugins/dlib/network/chip_view.h"
#include "plugins/dlib/network/convolution.h"

#include <memory>
#include <vector>

namespace dlib_network
{
class plan;
struct shared_weights;

class network
{
  public:
    // `batches`: the batch sizes that run() accepts, in descending order; all memory is allocated here, and batch sizes
    // share weights of the same layout. `last`: the fully connected layer, [channels][DIMENSION]. Throws
    // std::runtime_error when the layers are not those of this network. `convolutions` is not needed afterwards.
    network(const std::vector<convolution> &convolutions, std::vector<float> last, const std::vector<int> &batches);
    ~network();

    // `chips`: as many as one of `batches`. `out`: [chips][DIMENSION].
    void run(const std::vector<chip_view> &chips, float *out);

  private:
    std::vector<float> last;
    std::unique_ptr<shared_weights> shared;
    std::vector<std::unique_ptr<plan>> plans;
};
} // namespace dlib_network
#endif
