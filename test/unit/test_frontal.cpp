// Compares the HOG detector with dlib's own: features of synthetic images and faces of the sample photos. Exits with 1
// at a difference.
#include "plugins/common/cpu.h"
#include "plugins/dlib/frontal/frontal.h"
extern "C" {
#include "plugins/worker/image/decode.h"
}

#include <dlib/image_processing/frontal_face_detector.h>
#include <dlib/image_transforms.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

namespace
{
using dlib_recognizer::grey_image;

int wrong;

void check(bool right, const char *what, long rows, long columns)
{
    if (right)
        return;
    std::printf("FAILED: %s, %ld×%ld\n", what, columns, rows);
    wrong++;
}

void compare_features(int rows, int columns, std::mt19937 &random)
{
    using hog::WINDOW;
    grey_image grey(rows, columns);
    dlib::array<dlib::array2d<float>> theirs;
    hog::features ours;
    double worst = 0;

    for (int y = 0; y < rows; y++) // waves with noise: edges of every orientation
        for (int x = 0; x < columns; x++)
            grey(y, x) = static_cast<unsigned char>(100 + 60 * std::sin(x * 0.3) * std::cos(y * 0.2) + random() % 40);
    dlib::extract_fhog_features(grey, theirs, hog::CELL, WINDOW, WINDOW);
    hog::extract(&grey(0, 0), rows, columns, ours);
    if (theirs[0].size() == 0 || ours.height == 0) {
        check(theirs[0].size() == 0 && ours.height == 0, "only one of both has features", rows, columns);
        return;
    }
    check(theirs[0].nr() == ours.height + WINDOW - 1 && theirs[0].nc() == ours.width + WINDOW - 1,
          "the size of the features differs", rows, columns);
    for (unsigned long p = 0; p < theirs.size(); p++)
        for (long y = 0; y < theirs[p].nr(); y++)
            for (long x = 0; x < theirs[p].nc(); x++)
                worst = std::max(
                    worst,
                    std::abs(static_cast<double>(
                        theirs[p][y][x] -
                        ours.values[p * ours.plane + static_cast<size_t>(y) * ours.stride + static_cast<size_t>(x)])));
    check(worst < 1e-4, "features differ", rows, columns);
}

// Compares the filter bank with the definition, on synthetic features.
void compare_filters(int height, int width, std::mt19937 &random)
{
    using hog::WINDOW;
    const auto number = [&] { return static_cast<float>(random() % 2001) / 1000 - 1; };
    hog::features f;
    hog::filter_bank bank;
    hog::score_map scores;
    std::vector<std::pair<int, hog::separable_filter>> parts;
    double worst = 0;

    f.height = height;
    f.width = width;
    f.stride = static_cast<size_t>((width + 7) / 8 * 8 + WINDOW + 7) / 8 * 8;
    f.plane = f.stride * static_cast<size_t>(height + WINDOW - 1);
    f.values.resize(f.plane * hog::PLANES);
    for (float &v : f.values)
        v = number();
    for (int i = 0; i < 40; i++) { // some planes with many filters, some with none
        parts.push_back({i % 4 ? 2 : i % 31, {i % 3, {}, {}}});
        for (int k = 0; k < WINDOW; k++) {
            parts.back().second.column[k] = number();
            parts.back().second.row[k] = number();
        }
        bank.add(parts.back().first, parts.back().second);
    }
    bank.evaluate(f, scores);
    for (int d = 0; d < 3; d++)
        for (int i = 0; i < height * width; i++) {
            const auto y = static_cast<size_t>(i / width), x = static_cast<size_t>(i % width);
            double sum = 0;

            for (const auto &[plane, part] : parts)
                for (size_t k = 0; part.detector == d && k < WINDOW * WINDOW; k++)
                    sum += static_cast<double>(part.column[k / WINDOW]) * static_cast<double>(part.row[k % WINDOW]) *
                           static_cast<double>(f.values[static_cast<size_t>(plane) * f.plane +
                                                        (y + k / WINDOW) * f.stride + x + k % WINDOW]);
            worst = std::max(
                worst,
                std::abs(sum - static_cast<double>(
                                   scores.values[static_cast<size_t>(d) * scores.plane + y * scores.stride + x])));
        }
    check(worst < 1e-3, "scores differ", height, width);
}

// Compares the pixels of a pyramid level.
void compare_levels(int rows, int columns, std::mt19937 &random)
{
    grey_image grey(rows, columns), theirs, ours;
    dlib_recognizer::pyramid_reducer reduce;

    for (int i = 0; i < rows * columns; i++)
        (&grey(0, 0))[i] = static_cast<unsigned char>(random());
    dlib::pyramid_down<6>()(grey, theirs);
    reduce(grey, ours);
    check(theirs.nr() == ours.nr() && theirs.nc() == ours.nc() && (theirs.size() == 0 || theirs == ours),
          "pyramid levels differ", rows, columns);
}

void compare_faces(const grey_image &grey, dlib::frontal_face_detector &theirs, dlib_recognizer::frontal_detector &ours)
{
    std::vector<dlib::rect_detection> expected;
    const auto found = ours.find(grey, -0.3);

    theirs(grey, expected, -0.3);
    check(found.size() == expected.size(), "the number of faces differs", grey.nr(), grey.nc());
    for (size_t i = 0; i < found.size() && i < expected.size(); i++)
        check(found[i].box == expected[i].rect && std::abs(found[i].score - expected[i].detection_confidence) < 1e-3,
              "a face differs", grey.nr(), grey.nc());
}

int compare_photos(const char *folder)
{
    dlib::frontal_face_detector theirs = dlib::get_frontal_face_detector();
    dlib_recognizer::frontal_detector ours;
    int photos = 0;

    if (!std::filesystem::is_directory(folder))
        return 0;
    for (const auto &entry : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(entry.path(), std::ios::binary);
        const std::vector<char> data((std::istreambuf_iterator<char>(file)), {});
        pixels p;
        error e{};
        image_limits limits{};

        limits.max_pixels = 50000000;
        for (unsigned side : {0u, 413u, 97u}) { // sizes that are not multiples of a vector or a cell
            if (decode(reinterpret_cast<const uint8_t *>(data.data()), data.size(), &limits, side, 1, &p, &e) < 0)
                break;
            grey_image grey(static_cast<long>(p.height), static_cast<long>(p.width));

            for (long i = 0; i < grey.size(); i++)
                (&grey(0, 0))[i] = p.rgb[i * 3 + 1];
            pixels_free(&p);
            compare_faces(grey, theirs, ours);
            photos++;
        }
    }
    return photos;
}
// Runs all comparisons at one instruction level. Returns the number of photos compared.
int compare_all(const char *folder)
{
    std::mt19937 random(5);

    for (const auto &[rows, columns] :
         {std::pair{1, 1}, {19, 400}, {20, 20}, {24, 24}, {64, 80}, {97, 131}, {250, 250}, {133, 1000}})
        compare_features(rows, columns, random);
    for (int width : {1, 7, 8, 9, 17, 25, 32, 33, 70})
        for (int height : {1, 2, 3, 5, 9, 63, 64, 65, 130})
            compare_filters(height, width, random);
    for (int columns = 1; columns < 300; columns += columns < 90 ? 1 : 37)
        compare_levels(7 + columns % 60, columns, random);
    return folder ? compare_photos(folder) : 0;
}
} // namespace

int main(int argc, char **argv)
{
    for (const auto level : {cpu::level::PLAIN, cpu::level::AVX2}) {
        cpu::limit(level);
        if (cpu::available() == level)
            std::printf("%s: %d pictures of photos compared%s\n", level == cpu::level::PLAIN ? "plain" : "AVX2",
                        compare_all(argc > 1 ? argv[1] : nullptr), wrong ? "" : ": all faces are the same");
        else
            std::printf("this CPU has no AVX2: skipped\n");
    }
    return wrong ? 1 : 0;
}
