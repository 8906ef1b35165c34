/* The framing of a chunked HTTP/1 body (RFC 9112, 7.1), checked strictly: libh2o accepts lines that end in LF alone and
 * any text after a size, which other programs read differently. Pure functions over bytes. */
#ifndef KITH_CORE_HTTP_ENGINE_REQUEST_CHUNKS_H
#define KITH_CORE_HTTP_ENGINE_REQUEST_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum chunk_state {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER, /* at the begin of a line */
    CHUNK_TRAILER_TEXT,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
    CHUNK_END
};

struct request_chunks { /* all zero: at the begin of a body */
    enum chunk_state state;
    uint64_t left; /* bytes of the chunk */
    int digits;    /* of its size */
};

/* Reads the next bytes of a body, up to its end (CHUNK_END). `used`: so many of them belong to the body. False: the
 * framing is malformed. */
bool request_chunks_read(struct request_chunks *chunks, const char *bytes, size_t len, size_t *used);

#endif
