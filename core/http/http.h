/* The HTTP server: HTTP/1.1 and HTTP/2 (prior knowledge, upgrade, ALPN) on the libuv loop.
 *
 * Loop thread only. A request is reference-counted and outlives the connection: its holder may reply later. After the
 * client has disconnected, body and headers read as absent and a reply is discarded. Each request gets exactly one
 * reply; when the last reference is released without one, the server sends a 500.
 *
 * The guard (guard.c) closes connections that are idle, send or read too slowly, or reset too many requests.
 */
#ifndef KITH_CORE_HTTP_HTTP_H
#define KITH_CORE_HTTP_HTTP_H

#include "core/base/buf.h"
#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct http_server;
struct http_request;
struct http_trust;

/* A row of the route table. A parameter in braces matches one path segment: "/v1/images/{id}/photo". */
struct http_route {
    const char *method, *pattern;
    const char *actor; /* that handles it; interpreted by the dispatch function */
    uint32_t op;       /* operation; interpreted by the dispatch function */
    uint32_t access;   /* required role; interpreted by the dispatch function */
    const char *query; /* permitted query parameters, separated by spaces; NULL: any, all ignored */
};

/* A file that is embedded in the program. */
struct http_file {
    const char *path, *content_type;
    const unsigned char *data;
    size_t len;
};

/* Headers that may hold an API key, NUL-terminated; NULL when absent or too long. */
struct http_credentials {
    const char *authorization, *api_key, *cookie;
};

struct http_options {
    uv_loop_t *loop;
    const struct http_route *routes; /* ends with a NULL method */
    /* Takes the reference to `request`. */
    void (*dispatch)(void *context, const struct http_route *route, struct http_request *request);
    void *context;
    size_t max_body;
    size_t max_head; /* of an HTTP/1 request, before its body */
    uint32_t max_connections, max_connections_per_address, max_requests, max_resets, max_streams;
    uint64_t idle_timeout_ms, response_timeout_ms, shutdown_grace_ms;
    uint64_t min_rate;     /* bytes a second of an upload or a download, over idle_timeout_ms */
    size_t memory;         /* of bodies under way and unsent answers, all together */
    size_t address_memory; /* the same for one client address */
    size_t unknown_body;   /* of bodies on a connection for which `admits` has not returned true */
    /* Whether the credentials allow a body larger than that. NULL: no connection needs any. Absent headers are NULL. */
    bool (*admits)(void *context, const char *address, const struct http_credentials *credentials);
    bool access_log;
    uint32_t log_refused;           /* log lines in one second about refused requests; 0: no limit */
    const struct http_trust *trust; /* borrowed; NULL: no proxy and no other origin is trusted */
};

/* Which proxies and origins are trusted. `proxies`: addresses and networks in CIDR notation that may say who their
 * client is (KITH_TRUSTED_PROXIES). `public_url`: the URL under which browsers reach the server (KITH_PUBLIC_URL).
 * `cors_origins`: origins whose pages may use the interface (KITH_CORS_ORIGINS). Lists are separated by commas; each
 * may be "". NULL with `error` that names the setting. */
struct http_trust *http_trust_new(const char *proxies, const char *public_url, const char *cors_origins,
                                  struct error *error);
void http_trust_free(struct http_trust *trust);

/* `options` is copied; what it points to is borrowed for the server's life. One server a process. */
struct http_server *http_server_new(const struct http_options *options);

/* Listens on "host:port" ("[::1]:8000" for IPv6, port 0 for any free one). `files` (ends with a NULL path) are served
 * beside the routes; NULL for none. 0, or negative errno with `error` that names `setting`. */
int http_server_listen(struct http_server *server, const char *address, const char *setting,
                       const struct http_file *files, struct error *error);

/* Loads a certificate chain and its private key; new connections use TLS 1.2 or newer, HTTP/2 by ALPN. May be called
 * again to reload them; open connections are not affected. Returns 0, or negative errno with `error`; then the previous
 * files stay in use. */
int http_server_tls(struct http_server *server, const char *cert, const char *key, struct error *error);

/* The bound address of the n-th listener, "127.0.0.1:8000", or NULL. */
const char *http_server_address(const struct http_server *server, int n);

/* Whether an address is a loopback address. */
bool http_address_is_loopback(const char *address);

/* Stops accepting, waits up to the grace period for open requests, then closes all connections. Calls `done` once. */
void http_server_stop(struct http_server *server, void (*done)(void *context), void *context);
/* The same without the grace period, also after http_server_stop: `done` replaces the one given before. It is called
 * within about a second, when the connections have been closed. */
void http_server_stop_now(struct http_server *server, void (*done)(void *context), void *context);

/* --- a request --- */

struct http_request *http_request_ref(struct http_request *request);
void http_request_unref(struct http_request *request);

const struct http_route *http_request_route(const struct http_request *request);
/* The n-th part in braces, NUL-terminated; "" when there is none. */
const char *http_request_part(const struct http_request *request, int n);
/* A query parameter, decoded into `value`; false when it is absent. A parameter without “=” is empty. Before a request
 * is dispatched, each parameter of its route is checked: it is sent once, is UTF-8 without NUL, and fits a buffer of
 * HTTP_QUERY_MAX bytes. `size` must be at least that. */
enum { HTTP_QUERY_MAX = 1024 };
bool http_request_query(const struct http_request *request, const char *name, char *value, size_t size);
/* A header by its lower-case name, copied; false when absent or the client has left. The names and their limits are the
 * table in header.c: a longer or repeated header was refused before the request was dispatched. `size` must be larger
 * than the limit. */
bool http_request_header(const struct http_request *request, const char *name, char *value, size_t size);
/* The body, borrowed until the caller returns to the loop. NULL and 0 when the client has left. */
const char *http_request_body(const struct http_request *request, size_t *len);
const char *http_request_id(const struct http_request *request);
/* The caller's trace as it came (W3C Trace Context: "00-…32 hex…-…16 hex…-01"), or "" when there is none or it is none.
 */
enum { HTTP_TRACE_BYTES = 56 };
const char *http_request_trace(const struct http_request *request);
/* The address of the client, which trusted proxies report: "192.0.2.7", or the /64 network of an IPv6 address. */
void http_request_address(const struct http_request *request, char *text, size_t size);
/* Whether limits of one client address apply: not to that of a trusted proxy that names no client. */
bool http_request_address_is_limited(const struct http_request *request);
/* Whether the connection of the client is encrypted, here or at a trusted proxy, or KITH_PUBLIC_URL is an https URL. */
bool http_request_is_secure(const struct http_request *request);
/* The name of the API key of the request, for the log, and a number that identifies the key. "" and 0 when no key was
 * needed. */
void http_request_set_who(struct http_request *request, const char *who, uint64_t key);
uint64_t http_request_key(const struct http_request *request);
const char *http_request_who(const struct http_request *request);
/* A pointer of the dispatcher's, for those that answer the request. NULL when none was set. */
void http_request_set_context(struct http_request *request, void *context);
void *http_request_context(const struct http_request *request);
/* Is set when the client has left before its answer, or was answered 504. Borrowed; as long as the request. */
struct cancel *http_request_cancel(const struct http_request *request);

/* --- the reply: one of these, once --- */

/* Adds a header to the response; call it before the reply. Copies the value. Every header value is checked here:
 * returns false and adds nothing when `value` contains a control character other than a tab. */
bool http_add_header(struct http_request *request, const char *name, const char *value);
/* Copies the body. A HEAD request gets the status, the headers and the Content-Length, without the body. */
void http_reply(struct http_request *request, int status, const char *content_type, const void *body, size_t len);
/* The same with a buffer, which it empties. */
void http_reply_buf(struct http_request *request, int status, const char *content_type, struct buf *body);
/* An RFC 9457 problem document; `slug` becomes its type. A 503 gets Retry-After: 1. */
void http_problem(struct http_request *request, int status, const char *slug, const char *detail, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with further members: JSON text as "\"people\":[1,2]". */
void http_problem_with(struct http_request *request, int status, const char *slug, const char *members,
                       const char *detail, ...) __attribute__((format(printf, 5, 6)));
/* Whether an answer of `len` bytes would be sent now; if not, a 503 is: clients do not read what they asked for. For
 * answers that are expensive to make. */
bool http_answer_fits(struct http_request *request, size_t len);
/* Whether If-None-Match has `etag` (with its quotes). */
bool http_etag_matches(const struct http_request *request, const char *etag);
/* Compares If-None-Match with `etag` (with its quotes), adds the ETag header and answers 304 when it matches. */
bool http_not_modified(struct http_request *request, const char *etag);

/* --- a streamed reply --- */

struct http_stream_ops {
    void (*ready)(void *context); /* the last chunk was sent: the next may follow */
    void (*gone)(void *context);  /* the stream has ended for any reason: the last call */
};

/* Starts a 200 answer of unknown length and holds a reference until it is gone. Returns false
 * when no stream was opened: too many are open (a 503 is sent), or the request is a HEAD (the headers are sent). One
 * chunk at a time: the first may be sent at once, the next after `ready`. */
bool http_stream_start(struct http_request *request, const char *content_type, const struct http_stream_ops *ops,
                       void *context);
void http_stream_send(struct http_request *request, const void *data, size_t len);
/* Ends the stream; `gone` follows. A chunk sent after it is dropped. */
void http_stream_end(struct http_request *request);

/* Numbers for /metrics. */
struct http_stats {
    uint32_t connections, requests, streams, paused;
    size_t held; /* bytes of bodies and unsent answers */
    uint64_t accepted, refused, cut_off, handled;
};
struct http_stats http_server_stats(const struct http_server *server);

#endif
