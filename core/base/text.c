#include "core/base/text.h"

#include <string.h>

/* Bytes of the valid UTF-8 character at `c`, or 0. Stops at the NUL. Ranges: RFC 3629, section 4. */
static size_t text_char_bytes(const unsigned char *c)
{
    size_t count;

    if (c[0] < 0x80)
        return 1;
    if (c[0] < 0xc2 || c[0] > 0xf4)
        return 0;
    count = c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf0 && c[1] < 0x90) ||
        (c[0] == 0xf4 && c[1] > 0x8f))
        return 0;
    for (size_t i = 1; i < count; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    return count;
}

bool text_is_utf8(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;

    for (size_t n; *c; c += n)
        if (!(n = text_char_bytes(c)))
            return false;
    return true;
}

size_t text_copy_utf8(char *to, size_t size, const char *from)
{
    size_t at = 0;

    for (size_t n; *from; from += n ? n : 1) {
        n = text_char_bytes((const unsigned char *)from);
        if (at + (n ? n : 1) >= size)
            break;
        if (n)
            memcpy(to + at, from, n);
        else
            to[at] = '?';
        at += n ? n : 1;
    }
    to[at] = 0;
    return at;
}
