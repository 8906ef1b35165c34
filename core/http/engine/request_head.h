/* The grammar of an HTTP/1 request head (RFC 9112), as strict as a proxy in front of kith may be.
 *
 * libh2o accepts heads that two programs can read differently: repeated or conflicting lengths, folded lines, lines
 * that end in LF. Between a proxy and kith such a head hides a second request. Pure functions over bytes.
 */
#ifndef KITH_CORE_HTTP_ENGINE_REQUEST_HEAD_H
#define KITH_CORE_HTTP_ENGINE_REQUEST_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the head at the start of `bytes` with its empty line, or 0: it is incomplete. An end in LF alone
 * counts, too. `from`: so many bytes were looked at before. */
size_t request_head_length(const char *bytes, size_t len, size_t from);

/* False: the first line is complete and has no version of HTTP. The client speaks something else. */
bool request_head_is_http(const char *bytes, size_t len);

struct request_framing { /* what follows the head */
    bool http2;          /* no request: the connection goes on in HTTP/2 */
    bool chunked;
    uint64_t length; /* of the body, unless it is chunked; UINT64_MAX: more than 64 bits hold */
};

/* NULL, or why the complete head is malformed. The begin of an HTTP/2 connection is accepted. `framing` is valid for a
 * good head. */
const char *request_head_error(const char *head, size_t len, struct request_framing *framing);

#endif
