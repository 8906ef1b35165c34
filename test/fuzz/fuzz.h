/* What every fuzz target includes. A target defines LLVMFuzzerTestOneInput, which libFuzzer calls with one input after
 * another; it aborts where a promise of the tested header is broken. One thread, unless the target says otherwise. */
#ifndef KITH_TEST_FUZZ_FUZZ_H
#define KITH_TEST_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Ends the process when a promise does not hold; libFuzzer then saves the input. */
static inline void fuzz_require(bool holds)
{
    if (!holds)
        abort();
}

/* The part of an input that was not read yet. */
struct fuzz_input {
    const uint8_t *data;
    size_t len;
};

/* The next `len` bytes, or as many as there are, borrowed; the count into *got. */
static inline const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t len, size_t *got)
{
    const uint8_t *at = in->data;

    *got = len < in->len ? len : in->len;
    in->data += *got;
    in->len -= *got;
    return at;
}

/* The next number of `bytes` bytes, little-endian; missing bytes are 0. */
static inline uint64_t fuzz_number(struct fuzz_input *in, size_t bytes)
{
    uint64_t value = 0;
    size_t got;
    const uint8_t *at = fuzz_bytes(in, bytes, &got);

    for (size_t i = 0; i < got; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

/* A copy with a NUL behind it, owned. */
static inline char *fuzz_copy(const uint8_t *data, size_t len)
{
    char *copy = malloc(len + 1);

    if (!copy)
        abort();
    memcpy(copy, data, len);
    copy[len] = 0;
    return copy;
}

/* The next line without its end, owned; NULL at the end of the input. */
static inline char *fuzz_line(struct fuzz_input *in)
{
    const uint8_t *end = in->len ? memchr(in->data, '\n', in->len) : NULL;
    size_t len = end ? (size_t)(end - in->data) : in->len, got;
    const uint8_t *at;

    if (!in->len)
        return NULL;
    at = fuzz_bytes(in, len + (end != NULL), &got);
    return fuzz_copy(at, len);
}

#endif
