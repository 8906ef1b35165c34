/* A growing byte buffer, and JSON written into it. Aborts without memory. One thread at a time. */
#ifndef KITH_CORE_BASE_BUF_H
#define KITH_CORE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* not NUL-terminated; NULL while empty */
    size_t len, capacity;
};

void buf_add(struct buf *b, const void *data, size_t len);
void buf_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `value` in decimal digits, as "%lld" without its cost. */
void buf_int(struct buf *b, int64_t value);
void buf_free(struct buf *b);

/* A JSON string with its quotes. Control characters are escaped; bytes that are not UTF-8 become U+FFFD, so that a
 * file name of any bytes still gives valid JSON. `s` NULL writes null. */
void buf_json(struct buf *b, const char *s);
/* A number with at most `digits` decimals, no trailing zeros; null when it is not finite. */
void buf_number(struct buf *b, double value, int digits);

#endif
