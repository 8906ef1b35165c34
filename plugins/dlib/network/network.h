// The embedding network of dlib_face_recognition_resnet_model_v1 on oneDNN and, for the layers of stride 1 and
// the last ones, on winograd.h.
//
// Weights come from dlib's own network (its reader is the reference); affine layers are folded into the convolutions
// before them, ReLU and the residual sums into the convolutions' ends. oneDNN chooses instructions when the program
// runs, so the binary stays baseline; on a CPU without vector units it is slower, and right.
//
// Structure (Davis King's example dnn_face_recognition_ex, public domain), outputs for a chip of 150×150:
//
//   7×7/2 conv, ReLU [32,72,72] ─ max 3×3/2 [32,35,35] ─ 3 blocks of 32 ─ down to 64 [17,17], 3 blocks ─
//   down to 128 [8,8], 2 blocks ─ down to 256 [4,4], 2 blocks ─ down to 256 [2,2] ─ mean ─ 256×128
//
// A block: X ← ReLU(X + conv3×3(ReLU(conv3×3(X)))). A block down has stride 2 and no padding in its first convolution,
// twice the channels (but the last), and adds the 2×2 mean of X; where sizes differ the smaller is filled with zeros.
#ifndef KITH_PLUGINS_DLIB_NETWORK_NETWORK_H
#define KITH_PLUGINS_DLIB_NETWORK_NETWORK_H

#include "plugins/dlib/network/convolution.h"

#include <memory>
#include <vector>

namespace fast
{
constexpr int SIDE = 150, DIMENSION = 128;

struct view {                 // a chip, as it is or mirrored
    const unsigned char *rgb; // [SIDE][SIDE][3]
    bool mirrored;
};

class plan;
struct shelf;

class network
{
  public:
    // `batches`: how many chips at a time it is planned for, the most first; memory and instructions are set up here,
    // once, the weights shared where their layout is the same. `last`: [channels][DIMENSION]. Throws std::runtime_error
    // when they are not this network's. The convolutions are not needed afterwards.
    network(const std::vector<convolution> &convolutions, std::vector<float> last, const std::vector<int> &batches);
    ~network();

    // As many as one of `batches` says. `out`: [chips][DIMENSION].
    void run(const std::vector<view> &chips, float *out);

  private:
    std::vector<float> last;
    std::unique_ptr<shelf> common;
    std::vector<std::unique_ptr<plan>> plans;
};
} // namespace fast
#endif
