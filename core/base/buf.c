#include "core/base/buf.h"

#include "core/base/must.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void buf_reserve(struct buf *b, size_t more)
{
    size_t capacity = b->capacity ? b->capacity : 256;

    if (b->len + more <= b->capacity)
        return;
    while (capacity < b->len + more)
        capacity *= 2;
    b->data = realloc(b->data, capacity);
    if (!b->data)
        out_of_memory();
    b->capacity = capacity;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    buf_reserve(b, len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void buf_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    int n;

    buf_reserve(b, 1);
    va_start(args, format);
    n = vsnprintf(b->data + b->len, b->capacity - b->len, format, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n >= b->capacity - b->len) {
        buf_reserve(b, (size_t)n + 1);
        va_start(args, format);
        vsnprintf(b->data + b->len, (size_t)n + 1, format, args);
        va_end(args);
    }
    b->len += (size_t)n;
}

void buf_int(struct buf *b, int64_t value)
{
    char digits[20]; /* of the smallest number: 19 and its sign */
    char *at = digits + sizeof digits;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *--at = '-';
    buf_add(b, at, (size_t)(digits + sizeof digits - at));
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

/* Length of the UTF-8 sequence at `s`, or 0 when it is none (RFC 3629: no surrogates, no overlong forms). */
static size_t buf_utf8_len(const unsigned char *s)
{
    uint32_t code;
    size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

    if (n == 1)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    code = s[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3f);
    }
    if ((n == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) ||
        (n == 4 && (code < 0x10000 || code > 0x10ffff)))
        return 0;
    return n;
}

static void buf_json_special(struct buf *b, unsigned char c)
{
    switch (c) {
    case '"':
        buf_str(b, "\\\"");
        break;
    case '\\':
        buf_str(b, "\\\\");
        break;
    case '\n':
        buf_str(b, "\\n");
        break;
    case '\t':
        buf_str(b, "\\t");
        break;
    case '\r':
        buf_str(b, "\\r");
        break;
    default:
        buf_printf(b, "\\u%04x", c);
    }
}

void buf_json(struct buf *b, const char *s)
{
    const unsigned char *at = (const unsigned char *)s;

    if (!s) {
        buf_str(b, "null");
        return;
    }
    buf_str(b, "\"");
    while (*at) {
        const unsigned char *from = at;
        size_t n;

        while (*at >= 0x20 && *at < 0x7f && *at != '"' && *at != '\\')
            at++;
        buf_add(b, from, (size_t)(at - from));
        if (!*at)
            break;
        if (*at < 0x80) {
            buf_json_special(b, *at++);
        } else if ((n = buf_utf8_len(at))) {
            buf_add(b, at, n);
            at += n;
        } else {
            buf_str(b, "\xef\xbf\xbd");
            at++;
        }
    }
    buf_str(b, "\"");
}

void buf_number(struct buf *b, double value, int digits)
{
    char text[64];
    int n;

    if (!isfinite(value)) {
        buf_str(b, "null");
        return;
    }
    n = snprintf(text, sizeof text, "%.*f", digits, value);
    if (digits > 0) {
        while (n > 1 && text[n - 1] == '0')
            n--;
        if (text[n - 1] == '.')
            n--;
    }
    buf_add(b, text, (size_t)n);
}
