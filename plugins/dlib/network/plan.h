// How the network of network.h is computed for so many chips at a time: a list of steps, made once. Each is a call of
// oneDNN or, where the CPU has instructions for it, of winograd.h; pools and sums are the rest.
#ifndef KITH_PLUGINS_DLIB_NETWORK_PLAN_H
#define KITH_PLUGINS_DLIB_NETWORK_PLAN_H

#include "plugins/dlib/network/network.h"
#include "plugins/dlib/network/winograd.h"

#include <dnnl.hpp>

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

namespace fast
{
struct tensor { // an activation: [n][c / lanes][h][w][lanes]
    dnnl::memory data;
    int n = 0, c = 0, h = 0, w = 0;

    float *at() const
    {
        return static_cast<float *>(data.get_data_handle());
    }
};

// What all plans have in common.
struct shelf {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    std::unordered_map<const convolution *, std::vector<dnnl::memory>> weights; // in each layout that was asked for
    std::unordered_map<const convolution *, std::shared_ptr<winograd>> tiles;
    std::unordered_map<const convolution *, convolution> remade;
    aligned_vector<float> scratch;

    dnnl::memory weights_as(const convolution &k, const dnnl::memory::desc &wanted);
    std::shared_ptr<winograd> tiles_of(const convolution &k, int side, int lanes, int count);
    const convolution &made(const convolution &k, convolution (*how)(const convolution &));
};

class plan
{
  public:
    int count, lanes = 1; // lanes: channels that lie together
    tensor output;

    plan(shelf &common, const std::vector<convolution> &all, int chips);
    void run(const std::vector<view> &chips); // what comes out is in `output`

  private:
    shelf &common;
    dnnl::engine &engine = common.engine;
    dnnl::stream &stream = common.stream;
    dnnl::memory::format_tag layout = dnnl::memory::format_tag::nchw;
    bool tiled = false; // the layers Winograd's way can do are done that way
    std::vector<std::function<void()>> steps;
    tensor input;              // planes of colours, or (tiled) pictures of half the side as winograd.h has it
    std::vector<tensor> rooms; // see room_between

    void choose_layout(const convolution &typical);
    tensor make(int c, int h, int w);
    tensor room_between(int c, int h, int w);
    void add_call(const dnnl::primitive &primitive, const std::unordered_map<int, dnnl::memory> &args);
    void add_convolution(const convolution &k, const tensor &from, const tensor &to, ending end);
    void add_tiles(const convolution &k, const tensor &from, const tensor &to, ending end);
    void add_direct(const convolution &k, const tensor &from, const tensor &to, ending end);
    tensor add_pool(const tensor &from, dnnl::algorithm how, int size, int stride);
    tensor add_block(const convolution &a, const convolution &b, const tensor &x);
    tensor add_block_down(const convolution &a, const convolution &b, const tensor &x);
    void combine(const tensor &block, const tensor &mean, const tensor &out) const;
    void put_planes(int n, const view &chip);
    void put_halved(int n, const view &chip);
};

} // namespace fast
#endif
