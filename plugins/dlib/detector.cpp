#include "plugins/dlib/detector.h"

#include "plugins/dlib/frontal/frontal.h"

#include <dlib/dnn.h>
#include <dlib/image_transforms.h>

#include <algorithm>

namespace dlib_recognizer
{
namespace
{
constexpr double HOG_FACE = 80;                  // side of the smallest face that HOG can see
constexpr double GREY_MARGIN = 0.1;              // what grey takes from HOG's margin
constexpr long MAX_UPSAMPLED = 4L * 1600 * 1600; // bounds time and memory of the second look
constexpr long MAX_CNN = 800L * 800;             // the CNN takes 3.3 us and some 200 bytes a pixel: 2 s and 120 MB
constexpr double CNN_FACE = 40;                  // the smallest that it sees well
constexpr double TOLERANCE = 0.9;                // boxes come in steps of the pyramid, and of cells

// Rec. 601.
void to_grey(const picture &from, grey_picture &to)
{
    to.set_size(from.nr(), from.nc());
    const dlib::rgb_pixel *in = &from(0, 0);
    unsigned char *out = &to(0, 0);

    for (long i = 0, n = from.size(); i < n; i++)
        out[i] = static_cast<unsigned char>((77 * in[i].red + 150 * in[i].green + 29 * in[i].blue + 128) >> 8);
}

int times(long pixels, double scale)
{
    return std::max(1, static_cast<int>(std::lround(static_cast<double>(pixels) * scale)));
}

// Which pixels of a line each pixel of a shorter one covers, the first and the last in part.
struct cover {
    int first, last;
    float of_first, of_last; // the parts; those between count as one
};

std::vector<cover> covers(int from, int to)
{
    const double step = static_cast<double>(from) / to;
    std::vector<cover> all(static_cast<size_t>(to));

    for (int i = 0; i < to; i++) {
        const double left = i * step, right = std::min((i + 1) * step, static_cast<double>(from));
        cover &c = all[static_cast<size_t>(i)];

        c.first = static_cast<int>(left);
        c.last = std::min(from, static_cast<int>(std::ceil(right))) - 1;
        c.of_first = static_cast<float>(std::min(c.first + 1.0, right) - left);
        c.of_last = c.last > c.first ? static_cast<float>(right - c.last) : 0.0f;
    }
    return all;
}

// The mean of what each pixel covers: dlib's own reduction takes single pixels, and sees what is not there.
void shrink(const grey_picture &from, double scale, grey_picture &to)
{
    const int height = static_cast<int>(from.nr()), width = static_cast<int>(from.nc());
    const std::vector<cover> down = covers(height, times(height, scale)), across = covers(width, times(width, scale));
    const float share = static_cast<float>(down.size()) * static_cast<float>(across.size()) /
                        (static_cast<float>(height) * static_cast<float>(width));
    std::vector<float> line(static_cast<size_t>(width));

    to.set_size(static_cast<long>(down.size()), static_cast<long>(across.size()));
    for (size_t y = 0; y < down.size(); y++) {
        std::fill(line.begin(), line.end(), 0.0f);
        for (int sy = down[y].first; sy <= down[y].last; sy++) {
            const float part = sy == down[y].first ? down[y].of_first : sy == down[y].last ? down[y].of_last : 1.0f;
            const unsigned char *row = &from(sy, 0);

            for (int x = 0; x < width; x++)
                line[static_cast<size_t>(x)] += part * row[x];
        }
        for (size_t x = 0; x < across.size(); x++) {
            const cover &c = across[x];
            float sum = line[static_cast<size_t>(c.first)] * c.of_first + line[static_cast<size_t>(c.last)] * c.of_last;

            for (int sx = c.first + 1; sx < c.last; sx++)
                sum += line[static_cast<size_t>(sx)];
            to(static_cast<long>(y), static_cast<long>(x)) =
                static_cast<unsigned char>(std::min(255.0f, sum * share + 0.5f));
        }
    }
}

dlib::rectangle scaled(const dlib::rectangle &r, double by)
{
    const auto at = [by](long v) { return std::lround(static_cast<double>(v) * by); };

    return {at(r.left()), at(r.top()), at(r.right() + 1) - 1, at(r.bottom() + 1) - 1};
}
} // namespace

struct detector::plain {
    frontal see;
    grey_picture grey, other;

    void add(const grey_picture &where, double scale, double least, std::vector<found> &out)
    {
        for (const found &f : see.find(where, -GREY_MARGIN)) {
            const dlib::rectangle box = scale == 1 ? f.box : scaled(f.box, 1 / scale);

            if (static_cast<double>(box.width()) >= least * TOLERANCE)
                out.push_back({box, f.score + GREY_MARGIN});
        }
    }

    std::vector<found> find(const picture &pixels, double least)
    {
        std::vector<found> out;
        const double scale = std::min(1.0, HOG_FACE / least);

        to_grey(pixels, grey);
        if (scale < 1)
            shrink(grey, scale, other);
        add(scale < 1 ? other : grey, scale, least, out);
        if (out.empty() && least < HOG_FACE && 4L * grey.size() <= MAX_UPSAMPLED) {
            dlib::pyramid_down<2> pyramid;

            dlib::pyramid_up(grey, other, pyramid);
            add(other, 2, least, out);
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

struct detector::cnn {
    mmod see;

    explicit cnn(const std::string &folder)
    {
        load(see, folder + "/mmod_human_face_detector.dat");
    }

    std::vector<found> find(const picture &pixels, double least)
    {
        std::vector<found> out;
        // No larger than the smallest face needs, and than its memory allows; smaller faces are made larger.
        const double most = std::sqrt(static_cast<double>(MAX_CNN) / static_cast<double>(pixels.size()));
        const double scale = std::min({2.0, most, CNN_FACE * 2 / least});
        picture resized(times(pixels.nr(), scale), times(pixels.nc(), scale));

        dlib::resize_image(pixels, resized);
        for (const auto &d : see(resized)) {
            const dlib::rectangle box = scaled(d.rect, 1 / scale);

            if (static_cast<double>(box.width()) >= least * TOLERANCE)
                out.push_back({box, d.detection_confidence});
        }
        return out;
    }
};

detector::detector(eyes way, const std::string &folder)
{
    if (way != eyes::CNN)
        quick = std::make_unique<plain>();
    if (way != eyes::HOG)
        deep = std::make_unique<cnn>(folder);
}

detector::~detector() = default;

namespace
{
// People who stand together are about as large: where HOG sees only faces near the smallest it can see, or none, there
// may be others just below.
bool may_be_more(const std::vector<found> &seen)
{
    return std::none_of(seen.begin(), seen.end(),
                        [](const found &f) { return static_cast<double>(f.box.width()) >= 2 * HOG_FACE; });
}

void add_others(const std::vector<found> &more, std::vector<found> &to)
{
    const size_t before = to.size();

    for (const found &f : more)
        if (std::none_of(to.begin(), to.begin() + static_cast<long>(before), [&](const found &there) {
                return there.box.contains(center(f.box)) || f.box.contains(center(there.box));
            }))
            to.push_back(f);
}
} // namespace

std::vector<found> detector::find(const picture &pixels, double least)
{
    std::vector<found> out;

    if (quick)
        out = quick->find(pixels, least);
    if (deep && may_be_more(out))
        add_others(deep->find(pixels, least), out);
    return out;
}
} // namespace dlib_recognizer
