// Computes embeddings of chips with dlib's network, on oneDNN (network.h) or with dlib's own implementation. One thread
// at a time.
#ifndef KITH_PLUGINS_DLIB_EMBEDDER_H
#define KITH_PLUGINS_DLIB_EMBEDDER_H

#include "plugins/dlib/types.h"

#include <memory>
#include <vector>

namespace dlib_recognizer
{
struct embedder_options {
    bool mirror = true;     // average the embeddings of a chip and its mirror image, which reduces noise
    bool reference = false; // use dlib's own implementation, which is slower
};

class embedder
{
  public:
    // Throws std::runtime_error when the file cannot be read or holds another network.
    embedder(const std::string &file, const embedder_options &options);
    ~embedder();

    // One embedding for each chip of CHIP_SIDE × CHIP_SIDE pixels.
    std::vector<embedding> embed(const std::vector<rgb_image> &chips);

  private:
    struct state;

    embedder_options options;
    std::unique_ptr<state> me;
};
} // namespace dlib_recognizer
#endif
