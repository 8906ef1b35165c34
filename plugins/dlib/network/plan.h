// The network of network.h compiled for one batch size: a list of steps, made once. A step is a oneDNN primitive, a
// convolution of winograd.h where the CPU has the instructions, or a sum. One thread.
#ifndef KITH_PLUGINS_DLIB_NETWORK_PLAN_H
#define KITH_PLUGINS_DLIB_NETWORK_PLAN_H

#include "plugins/dlib/network/chip_view.h"
#include "plugins/dlib/network/convolution.h"
#include "plugins/dlib/network/winograd.h"

#include <dnnl.hpp>

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

namespace dlib_network
{
struct tensor { // an activation: [n][c / lanes][h][w][lanes]
    dnnl::memory data;
    int n = 0, c = 0, h = 0, w = 0;

    float *at() const
    {
        return static_cast<float *>(data.get_data_handle());
    }
};

// State that all plans share. Keys are addresses of convolutions: valid during construction only.
struct shared_weights {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    std::unordered_map<const convolution *, std::vector<dnnl::memory>> weights; // in each requested layout
    std::unordered_map<const convolution *, std::shared_ptr<winograd>> winograds;
    std::unordered_map<const convolution *, convolution> derived;
    aligned_vector<float> scratch; // working memory of winograd::run

    dnnl::memory weights_as(const convolution &k, const dnnl::memory::desc &wanted);
    std::shared_ptr<winograd> winograd_for(const convolution &k, int side, int lanes, int count);
    const convolution &derived_convolution(const convolution &k, convolution (*how)(const convolution &));
};

class plan
{
  public:
    int count, lanes = 1; // count: chips; lanes: channels stored next to each other
    tensor output;

    plan(shared_weights &common, const std::vector<convolution> &all, int chips);
    void run(const std::vector<chip_view> &chips); // writes `output`

  private:
    shared_weights &common;
    dnnl::engine &engine = common.engine;
    dnnl::stream &stream = common.stream;
    dnnl::memory::format_tag layout = dnnl::memory::format_tag::nchw;
    bool use_winograd = false; // for the layers it supports
    std::vector<std::function<void()>> steps;
    tensor input;                    // colour planes, or (use_winograd) the output of space_to_depth
    std::vector<tensor> temporaries; // reused by blocks of the same size

    void choose_layout(const convolution &typical);
    tensor make_tensor(int c, int h, int w);
    tensor temporary(int c, int h, int w);
    void add_call(const dnnl::primitive &primitive, const std::unordered_map<int, dnnl::memory> &args);
    void add_convolution(const convolution &k, const tensor &from, const tensor &to, epilogue end);
    void add_winograd(const convolution &k, const tensor &from, const tensor &to, epilogue end);
    void add_direct(const convolution &k, const tensor &from, const tensor &to, epilogue end);
    tensor add_pool(const tensor &from, dnnl::algorithm how, int size, int stride);
    tensor add_block(const convolution &a, const convolution &b, const tensor &x);
    tensor add_block_down(const convolution &a, const convolution &b, const tensor &x);
    void combine(const tensor &block, const tensor &mean, const tensor &out) const;
    void put_planes(int n, const chip_view &chip);
    void put_space_to_depth(int n, const chip_view &chip);
};

} // namespace dlib_network
#endif
