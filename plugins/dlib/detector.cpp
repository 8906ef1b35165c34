#include "plugins/dlib/detector.h"

#include "plugins/dlib/frontal/frontal.h"

#include <dlib/dnn.h>
#include <dlib/image_transforms.h>

#include <algorithm>

namespace dlib_recognizer
{
namespace
{
constexpr double HOG_FACE = 80;                  // side of the smallest face that HOG detects
constexpr double GREY_MARGIN = 0.1;              // loss of score by the conversion to grey
constexpr long MAX_UPSAMPLED = 4L * 1600 * 1600; // pixels: bounds time and memory of the second pass
constexpr long MAX_CNN = 800L * 800; // pixels: the CNN takes 3.3 us and 200 bytes for each, that is 2 s and 120 MB
constexpr double CNN_FACE = 40;      // side of the smallest face that the CNN detects well
constexpr double TOLERANCE = 0.9;    // box sizes are quantized by pyramid levels and cells

// Luma of Rec. 601.
void convert_to_grey(const rgb_image &from, grey_image &to)
{
    to.set_size(from.nr(), from.nc());
    const dlib::rgb_pixel *in = &from(0, 0);
    unsigned char *out = &to(0, 0);

    for (long i = 0, n = from.size(); i < n; i++)
        out[i] = static_cast<unsigned char>((77 * in[i].red + 150 * in[i].green + 29 * in[i].blue + 128) >> 8);
}

int scale_length(long pixels, double scale)
{
    return std::max(1, static_cast<int>(std::lround(static_cast<double>(pixels) * scale)));
}

// The source pixels that a pixel of a shorter line covers; the first and the last in part.
struct coverage {
    int first, last;
    float first_weight, last_weight; // those between have weight 1
};

std::vector<coverage> compute_coverage(int from, int to)
{
    const double step = static_cast<double>(from) / to;
    std::vector<coverage> all(static_cast<size_t>(to));

    for (int i = 0; i < to; i++) {
        const double left = i * step, right = std::min((i + 1) * step, static_cast<double>(from));
        coverage &c = all[static_cast<size_t>(i)];

        c.first = static_cast<int>(left);
        c.last = std::min(from, static_cast<int>(std::ceil(right))) - 1;
        c.first_weight = static_cast<float>(std::min(c.first + 1.0, right) - left);
        c.last_weight = c.last > c.first ? static_cast<float>(right - c.last) : 0.0f;
    }
    return all;
}

// Area average. dlib's resize_image interpolates between single pixels, and the aliasing causes false detections.
void reduce_image(const grey_image &from, double scale, grey_image &to)
{
    const int height = static_cast<int>(from.nr()), width = static_cast<int>(from.nc());
    const std::vector<coverage> down = compute_coverage(height, scale_length(height, scale));
    const std::vector<coverage> across = compute_coverage(width, scale_length(width, scale));
    const float share = static_cast<float>(down.size()) * static_cast<float>(across.size()) /
                        (static_cast<float>(height) * static_cast<float>(width));
    std::vector<float> line(static_cast<size_t>(width));

    to.set_size(static_cast<long>(down.size()), static_cast<long>(across.size()));
    for (size_t y = 0; y < down.size(); y++) {
        std::fill(line.begin(), line.end(), 0.0f);
        for (int sy = down[y].first; sy <= down[y].last; sy++) {
            const float part = sy == down[y].first  ? down[y].first_weight
                               : sy == down[y].last ? down[y].last_weight
                                                    : 1.0f;
            const unsigned char *row = &from(sy, 0);

            for (int x = 0; x < width; x++)
                line[static_cast<size_t>(x)] += part * row[x];
        }
        for (size_t x = 0; x < across.size(); x++) {
            const coverage &c = across[x];
            float sum =
                line[static_cast<size_t>(c.first)] * c.first_weight + line[static_cast<size_t>(c.last)] * c.last_weight;

            for (int sx = c.first + 1; sx < c.last; sx++)
                sum += line[static_cast<size_t>(sx)];
            to(static_cast<long>(y), static_cast<long>(x)) =
                static_cast<unsigned char>(std::min(255.0f, sum * share + 0.5f));
        }
    }
}

dlib::rectangle scale_rectangle(const dlib::rectangle &r, double by)
{
    const auto at = [by](long v) { return std::lround(static_cast<double>(v) * by); };

    return {at(r.left()), at(r.top()), at(r.right() + 1) - 1, at(r.bottom() + 1) - 1};
}
} // namespace

struct detector::hog_detector {
    frontal_detector frontal;
    grey_image grey, resized;

    void add_detections(const grey_image &level, double scale, double min_width, std::vector<detection> &out)
    {
        for (const detection &f : frontal.find(level, -GREY_MARGIN)) {
            const dlib::rectangle box = scale == 1 ? f.box : scale_rectangle(f.box, 1 / scale);

            if (static_cast<double>(box.width()) >= min_width * TOLERANCE)
                out.push_back({box, f.score + GREY_MARGIN});
        }
    }

    std::vector<detection> find(const rgb_image &image, double min_width)
    {
        std::vector<detection> out;
        const double scale = std::min(1.0, HOG_FACE / min_width);

        convert_to_grey(image, grey);
        if (scale < 1)
            reduce_image(grey, scale, resized);
        add_detections(scale < 1 ? resized : grey, scale, min_width, out);
        if (out.empty() && min_width < HOG_FACE && 4L * grey.size() <= MAX_UPSAMPLED) {
            dlib::pyramid_down<2> pyramid;

            dlib::pyramid_up(grey, resized, pyramid);
            add_detections(resized, 2, min_width, out);
        }
        return out;
    }
};

// dlib's example dnn_mmod_face_detection_ex (public domain).
template <long N, typename SUBNET> using con5d = dlib::con<N, 5, 5, 2, 2, SUBNET>;
template <long N, typename SUBNET> using con5 = dlib::con<N, 5, 5, 1, 1, SUBNET>;
template <typename SUBNET>
using downsampler = dlib::relu<
    dlib::affine<con5d<32, dlib::relu<dlib::affine<con5d<32, dlib::relu<dlib::affine<con5d<16, SUBNET>>>>>>>>>;
template <typename SUBNET> using rcon5 = dlib::relu<dlib::affine<con5<45, SUBNET>>>;
using mmod = dlib::loss_mmod<
    dlib::con<1, 9, 9, 1, 1, rcon5<rcon5<rcon5<downsampler<dlib::input_rgb_image_pyramid<dlib::pyramid_down<6>>>>>>>>;

struct detector::cnn_detector {
    mmod net;

    explicit cnn_detector(const std::string &folder)
    {
        load(net, folder + "/mmod_human_face_detector.dat");
    }

    std::vector<detection> find(const rgb_image &image, double min_width)
    {
        std::vector<detection> out;
        // The scale at which the smallest face has twice the side it needs, bounded by the memory of the CNN.
        const double max_scale = std::sqrt(static_cast<double>(MAX_CNN) / static_cast<double>(image.size()));
        const double scale = std::min({2.0, max_scale, CNN_FACE * 2 / min_width});
        rgb_image resized(scale_length(image.nr(), scale), scale_length(image.nc(), scale));

        dlib::resize_image(image, resized);
        for (const auto &d : net(resized)) {
            const dlib::rectangle box = scale_rectangle(d.rect, 1 / scale);

            if (static_cast<double>(box.width()) >= min_width * TOLERANCE)
                out.push_back({box, d.detection_confidence});
        }
        return out;
    }
};

detector::detector(detector_kind kind, const std::string &folder)
{
    if (kind != detector_kind::CNN)
        hog = std::make_unique<hog_detector>();
    if (kind != detector_kind::HOG)
        cnn = std::make_unique<cnn_detector>(folder);
}

detector::~detector() = default;

namespace
{
// Faces in an image often have similar sizes: where HOG finds only faces near its smallest size, or none, smaller ones
// are likely.
bool may_have_small_faces(const std::vector<detection> &found)
{
    return std::none_of(found.begin(), found.end(),
                        [](const detection &f) { return static_cast<double>(f.box.width()) >= 2 * HOG_FACE; });
}

// Adds the detections of `more` that do not overlap one of `to`.
void add_new(const std::vector<detection> &more, std::vector<detection> &to)
{
    const size_t before = to.size();

    for (const detection &f : more)
        if (std::none_of(to.begin(), to.begin() + static_cast<long>(before), [&](const detection &old) {
                return old.box.contains(center(f.box)) || f.box.contains(center(old.box));
            }))
            to.push_back(f);
}
} // namespace

std::vector<detection> detector::find(const rgb_image &image, double min_width)
{
    std::vector<detection> out;

    if (hog)
        out = hog->find(image, min_width);
    if (cnn && may_have_small_faces(out))
        add_new(cnn->find(image, min_width), out);
    return out;
}
} // namespace dlib_recognizer
