/* UTF-8 texts of a limited length. Any thread. */
#ifndef KITH_CORE_BASE_TEXT_H
#define KITH_CORE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether all of `text` is valid UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF). */
bool text_is_utf8(const char *text);
/* Copies `from` to `to` of `size` bytes (at least 1): each invalid byte becomes "?", and the copy ends at a character
 * border when `from` does not fit. Returns the length of the copy in bytes. */
size_t text_copy_utf8(char *to, size_t size, const char *from);

/* Whether `data` holds `words` at a place where no letter or digit stands beside it. Bytes from 0x80 count as letters.
 */
bool text_has_words(const void *data, size_t len, const void *words, size_t words_len);
/* The same of one place: `data` holds `words_len` bytes at `at`. */
bool text_stands_alone(const void *data, size_t len, size_t at, size_t words_len);

#endif
