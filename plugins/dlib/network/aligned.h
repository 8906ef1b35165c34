// Vectors aligned to cache lines: a load or store of a whole vector register touches one line.
#ifndef KITH_PLUGINS_DLIB_NETWORK_ALIGNED_H
#define KITH_PLUGINS_DLIB_NETWORK_ALIGNED_H

#include <cstddef>
#include <new>
#include <vector>

namespace dlib_network
{
template <typename type> struct aligned_allocator {
    using value_type = type;
    static constexpr std::align_val_t line{64};

    aligned_allocator() = default;
    template <typename other> aligned_allocator(const aligned_allocator<other> &)
    {
    }
    type *allocate(size_t n)
    {
        return static_cast<type *>(::operator new(n * sizeof(type), line));
    }
    void deallocate(type *p, size_t)
    {
        ::operator delete(p, line);
    }
    bool operator==(const aligned_allocator &) const
    {
        return true;
    }
    bool operator!=(const aligned_allocator &) const
    {
        return false;
    }
};

template <typename type> using aligned_vector = std::vector<type, aligned_allocator<type>>;
} // namespace dlib_network
#endif
