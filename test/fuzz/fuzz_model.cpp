// Model files: any bytes are a model of landmarks, or are refused by an exception; with a model, landmarks are found in
// a small picture. The networks' files are read by dlib alone and are not a target.
#include "plugins/dlib/landmarks.h"

#include <cstdlib>
#include <new>
#include <sstream>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A model that claims to be huge is refused as on a machine without memory.
static void *fuzz_allocate(size_t size)
{
    void *p = size > (64u << 20) ? nullptr : std::malloc(size ? size : 1);

    if (!p)
        throw std::bad_alloc();
    return p;
}

void *operator new(size_t size)
{
    return fuzz_allocate(size);
}

void *operator new[](size_t size)
{
    return fuzz_allocate(size);
}

void *operator new(size_t size, const std::nothrow_t &) noexcept
{
    return std::malloc(size ? size : 1);
}

void operator delete(void *p) noexcept
{
    std::free(p);
}

void operator delete[](void *p) noexcept
{
    std::free(p);
}

void operator delete(void *p, size_t) noexcept
{
    std::free(p);
}

void operator delete[](void *p, size_t) noexcept
{
    std::free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    std::istringstream in(std::string(reinterpret_cast<const char *>(data), size));
    dlib_recognizer::landmarks model;
    dlib_recognizer::rgb_image picture(40, 40);

    try {
        deserialize(model, in);
    } catch (const std::exception &) {
        return 0;
    }
    for (auto &pixel : picture)
        pixel = dlib::rgb_pixel(10, 20, 30);
    model.find(picture, dlib::rectangle(4, 4, 30, 30));
    return 0;
}
