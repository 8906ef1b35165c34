/* Text that comes from a plug-in: it may hold any bytes, but the database, JSON and the log need UTF-8. Pure functions;
 * any thread. */
#ifndef KITH_PLUGINS_HOST_WORKER_TEXT_H
#define KITH_PLUGINS_HOST_WORKER_TEXT_H

#include <stddef.h>

/* Copies `from`, at most `from_len` bytes and at most to its first NUL, to `to` of `size` bytes (at least 1). Each byte
 * that is not part of a valid UTF-8 sequence (RFC 3629) becomes U+FFFD. The result ends with a NUL and is cut between
 * two characters where it does not fit. `limit` is the size of the buffer that the sender wrote to: an incomplete
 * sequence at the end of a text that fills it was cut by the sender and is dropped; 0: none. */
void worker_text_copy(char *to, size_t size, const char *from, size_t from_len, size_t limit);

#endif
