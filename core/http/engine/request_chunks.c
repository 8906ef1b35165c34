#include "core/http/engine/request_chunks.h"

#include <string.h>

enum { DIGITS_MAX = 15 }; /* of a size: it fits in 64 bits */

static int chunk_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)((at - digits) % 16) : -1;
}

static bool chunk_read_size(struct request_chunks *c, char byte)
{
    int digit = chunk_digit(byte);

    if (digit >= 0) {
        c->left = c->left * 16 + (uint64_t)digit;
        return ++c->digits <= DIGITS_MAX;
    }
    c->state = byte == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
    return c->digits > 0 && (byte == ';' || byte == '\r');
}

static bool chunk_end_size(struct request_chunks *c, char byte)
{
    c->state = c->left ? CHUNK_DATA : CHUNK_TRAILER;
    c->digits = 0;
    return byte == '\n';
}

/* The lines after the last chunk: text, each ends in CR LF; an empty one is the end. */
static bool chunk_read_trailer(struct request_chunks *c, char byte)
{
    if (byte == '\r')
        c->state = c->state == CHUNK_TRAILER ? CHUNK_END_LF : CHUNK_TRAILER_LF;
    else
        c->state = CHUNK_TRAILER_TEXT;
    return byte != '\n' && byte != 0;
}

static bool chunk_read_byte(struct request_chunks *c, char byte)
{
    switch (c->state) {
    case CHUNK_SIZE:
        return chunk_read_size(c, byte);
    case CHUNK_EXTENSION:
        if (byte == '\r')
            c->state = CHUNK_SIZE_LF;
        return byte != '\n' && byte != 0;
    case CHUNK_SIZE_LF:
        return chunk_end_size(c, byte);
    case CHUNK_DATA_CR:
        c->state = CHUNK_DATA_LF;
        return byte == '\r';
    case CHUNK_DATA_LF:
        c->state = CHUNK_SIZE;
        return byte == '\n';
    case CHUNK_TRAILER:
    case CHUNK_TRAILER_TEXT:
        return chunk_read_trailer(c, byte);
    case CHUNK_TRAILER_LF:
        c->state = CHUNK_TRAILER;
        return byte == '\n';
    case CHUNK_END_LF:
        c->state = CHUNK_END;
        return byte == '\n';
    default:
        return true;
    }
}

bool request_chunks_read(struct request_chunks *c, const char *bytes, size_t len, size_t *used)
{
    size_t i = 0;

    for (; i < len && c->state != CHUNK_END; i++) {
        if (c->state == CHUNK_DATA) {
            size_t n = c->left < len - i ? (size_t)c->left : len - i;

            c->left -= n;
            i += n - 1;
            if (c->left == 0)
                c->state = CHUNK_DATA_CR;
        } else if (!chunk_read_byte(c, bytes[i])) {
            return false;
        }
    }
    *used = i;
    return true;
}
