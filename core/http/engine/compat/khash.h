/* The hash table of streams in libh2o's HTTP/2 connection, as far as h2o/http2_internal.h needs it.
 *
 * libh2o is built with klib's khash, which Debian does not package. This file declares the same struct (klib 0.2.8:
 * open addressing, two flag bits a bucket) to read the table; it never changes one. */
#ifndef KITH_CORE_HTTP_ENGINE_COMPAT_KHASH_H
#define KITH_CORE_HTTP_ENGINE_COMPAT_KHASH_H

#include <stdint.h>

typedef uint32_t khint_t, khiter_t;

#define khash_t(name) kh_##name##_t
#define kh_end(h)     ((h)->n_buckets)
#define kh_val(h, i)  ((h)->vals[i])
/* Flag bits of a bucket: 1 is deleted, 2 is empty. */
#define kh_exist(h, i)     (((h)->flags[(i) >> 4] >> (((i)&15U) << 1) & 3) == 0)
#define kh_get(name, h, k) kh_get_##name(h, k)

#define KHASH_MAP_INIT_INT64(name, type)                                                                               \
    typedef struct kh_##name##_s {                                                                                     \
        khint_t n_buckets, size, n_occupied, upper_bound;                                                              \
        uint32_t *flags;                                                                                               \
        uint64_t *keys;                                                                                                \
        type *vals;                                                                                                    \
    } kh_##name##_t;                                                                                                   \
    static inline khiter_t kh_get_##name(const kh_##name##_t *h, uint64_t key)                                         \
    {                                                                                                                  \
        khiter_t i;                                                                                                    \
                                                                                                                       \
        for (i = 0; i < h->n_buckets; i++)                                                                             \
            if (kh_exist(h, i) && h->keys[i] == key)                                                                   \
                break;                                                                                                 \
        return i;                                                                                                      \
    }

#endif
