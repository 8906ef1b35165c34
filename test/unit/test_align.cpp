// Compares landmarks and chips with dlib's own, to the last bit: for boxes all over a synthetic image and for the faces
// that dlib detects on the sample photos. Exits with 77 without the model, with 1 at a difference.
#include "plugins/common/cpu.h"
#include "plugins/dlib/chip.h"
#include "plugins/dlib/landmarks.h"
extern "C" {
#include "plugins/worker/image/decode.h"
}

#include <dlib/image_processing/frontal_face_detector.h>
#include <dlib/image_processing/shape_predictor.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace
{
using dlib_recognizer::rgb_image;

struct both_predictors {
    dlib::shape_predictor theirs;
    dlib_recognizer::landmarks ours;
    int compared = 0, wrong = 0;

    void compare(const rgb_image &from, const dlib::rectangle &box)
    {
        const auto expected = theirs(from, box), found = ours.find(from, box);
        rgb_image chip;
        bool same = found.num_parts() == expected.num_parts();

        for (unsigned long i = 0; same && i < expected.num_parts(); i++)
            same = found.part(i) == expected.part(i);
        dlib::extract_image_chip(from, dlib::get_face_chip_details(expected, 150, 0.25), chip);
        const rgb_image mine = dlib_recognizer::extract_chip(from, expected);
        for (long i = 0; i < chip.size(); i++) {
            const dlib::rgb_pixel a = (&chip(0, 0))[i], b = (&mine(0, 0))[i];

            same = same && a.red == b.red && a.green == b.green && a.blue == b.blue;
        }
        compared++;
        wrong += !same;
    }
};

void compare_made(both_predictors &both)
{
    rgb_image made(500, 400);

    for (long y = 0; y < made.nr(); y++)
        for (long x = 0; x < made.nc(); x++)
            made(y, x) = {static_cast<unsigned char>(128 + 100 * std::sin(static_cast<double>(x) * 0.07)),
                          static_cast<unsigned char>(x * y / 50), static_cast<unsigned char>(x ^ y)};
    for (long i = 0; i < 100; i++) { // of any size, some partly outside
        const long left = i * 37 % 460 - 60, top = i * 53 % 520 - 60, side = 20 + i * 29 % 430;

        both.compare(made, dlib::rectangle(left, top, left + side, top + side));
    }
}

void compare_photos(both_predictors &both, const char *folder)
{
    dlib::frontal_face_detector detector = dlib::get_frontal_face_detector();

    if (!std::filesystem::is_directory(folder))
        return;
    for (const auto &entry : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(entry.path(), std::ios::binary);
        const std::vector<char> data((std::istreambuf_iterator<char>(file)), {});
        pixels p;
        error e{};
        image_limits limits{};

        limits.max_pixels = 50000000;
        if (decode(reinterpret_cast<const uint8_t *>(data.data()), data.size(), &limits, 0, 1, &p, &e) < 0)
            continue;
        rgb_image photo(static_cast<long>(p.height), static_cast<long>(p.width));

        std::copy_n(p.rgb, photo.size() * 3, &photo(0, 0).red);
        pixels_free(&p);
        for (const auto &box : detector(photo))
            both.compare(photo, box);
    }
}

// Truncated models must be refused. Returns how many are accepted.
int count_accepted(const std::string &file)
{
    std::ifstream in(file, std::ios::binary);
    const std::string all((std::istreambuf_iterator<char>(in)), {});
    int count = 0;

    for (size_t length : {size_t(0), size_t(1), size_t(50), all.size() / 2, all.size() - 1}) {
        std::istringstream cut(all.substr(0, length));
        dlib_recognizer::landmarks l;

        try {
            deserialize(l, cut);
            std::printf("FAILED: %zu bytes of %zu are accepted\n", length, all.size());
            count++;
        } catch (const dlib::serialization_error &) {
        }
    }
    return count;
}
} // namespace

int main(int argc, char **argv)
{
    const std::string model = std::string(argc > 2 ? argv[2] : "models") + "/shape_predictor_5_face_landmarks.dat";
    both_predictors both;

    if (!std::filesystem::exists(model)) {
        std::printf("skipped: there is no %s (deploy/models.sh fetches it)\n", model.c_str());
        return 77;
    }
    dlib::deserialize(model) >> both.theirs;
    dlib::deserialize(model) >> both.ours;
    for (const auto level : {cpu::level::PLAIN, cpu::level::AVX2}) {
        cpu::limit(level);
        compare_made(both);
        compare_photos(both, argc > 1 ? argv[1] : "samples");
    }
    std::printf("%d faces compared, %d differ\n", both.compared, both.wrong);
    return both.wrong + count_accepted(model) > 0;
}
