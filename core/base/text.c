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

static bool text_is_letter(unsigned char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool text_stands_alone(const void *data, size_t len, size_t at, size_t words_len)
{
    const unsigned char *p = data;
    size_t end = at + words_len;

    return !(at > 0 && text_is_letter(p[at - 1]) && text_is_letter(p[at])) &&
           !(end < len && text_is_letter(p[end]) && text_is_letter(p[end - 1]));
}

bool text_has_words(const void *data, size_t len, const void *words, size_t words_len)
{
    const unsigned char *from = data, *at = from;

    while (words_len && (at = memmem(at, len - (size_t)(at - from), words, words_len))) {
        if (text_stands_alone(data, len, (size_t)(at - from), words_len))
            return true;
        at++;
    }
    return false;
}
