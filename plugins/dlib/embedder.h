// From aligned faces to embeddings: dlib's network on oneDNN (network.h), or dlib's own.
#ifndef KITH_PLUGINS_DLIB_EMBEDDER_H
#define KITH_PLUGINS_DLIB_EMBEDDER_H

#include "plugins/dlib/types.h"

#include <memory>
#include <vector>

namespace dlib_recognizer
{
struct embedder_options {
    bool mirror = true;     // the mean of a face's and its mirror image's: both show the same person, and what differs
                            // between them is noise
    bool reference = false; // dlib's own network: slower
};

class embedder
{
  public:
    // Throws std::runtime_error when the file cannot be read or holds another network.
    embedder(const std::string &file, const embedder_options &options);
    ~embedder();

    // One for each chip, CHIP_SIDE × CHIP_SIDE.
    std::vector<embedding> embed(const std::vector<picture> &chips);

  private:
    struct state;

    embedder_options options;
    std::unique_ptr<state> me;
};
} // namespace dlib_recognizer
#endif
