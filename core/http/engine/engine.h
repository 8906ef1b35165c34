/* The interface to the library that speaks HTTP on a connection. Internal to core/http.
 *
 * An engine parses requests and writes responses on connections that the guard has accepted. Routing, limits, replies
 * and TLS loading stand above this interface and see no type of the library; only this folder includes its headers.
 *
 * Everything runs on the loop thread. Texts that an engine hands out are borrowed; they live until it reports the
 * request as disposed.
 */
#ifndef KITH_CORE_HTTP_ENGINE_H
#define KITH_CORE_HTTP_ENGINE_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct http_request;
struct engine;
struct engine_socket;

struct engine_text { /* not NUL-terminated; base NULL: absent */
    const char *base;
    size_t len;
};

/* The engine's side of a request. Each engine keeps its own fields behind it. */
struct engine_request {
    struct http_request *owner; /* set by `received` */
};

/* What a request begins with. */
struct engine_head {
    struct engine_text method, target, authority, body;
    size_t path_len; /* of target, up to the "?" */
    int fd;          /* of the connection; negative: closed */
    int version;     /* major: 1 or 2 */
};

/* What a connection holds of requests. */
struct engine_held {
    size_t bytes;        /* memory of request bodies and of unparsed input */
    uint32_t unfinished; /* requests whose end has not arrived */
    bool http2;
};

/* Calls from the engine. */
struct engine_callbacks {
    void (*received)(void *listener, struct engine_request *raw, const struct engine_head *head);
    void (*chunk_sent)(struct http_request *request); /* the next stream_send is allowed */
    /* HTTP/1: the request that arrives is malformed. It is not parsed, and all further input is discarded.
     * `status`: of the answer; 0: it is not HTTP. */
    void (*malformed)(void *listener, int fd, int status, const char *why);
    void (*disposed)(struct http_request *request); /* the last call: `raw` and its texts are gone */
};

struct engine_options {
    uv_loop_t *loop;
    const struct engine_callbacks *callbacks;
    void *const *listeners; /* what `received` gets, one a listener */
    int listener_count;
    size_t max_body; /* the engine may reject larger bodies itself */
    size_t max_head; /* of an HTTP/1 request */
    uint64_t shutdown_grace_ms;
};

struct engine_ops {
    struct engine *(*engine_new)(const struct engine_options *options);
    /* For new connections; the caller keeps the reference to `context`. */
    void (*set_tls)(struct engine *engine, SSL_CTX *context);
    /* Selects HTTP/2 or HTTP/1.1 by ALPN. */
    void (*register_alpn)(SSL_CTX *context);
    /* Tells clients to open no new requests, where the protocol can. */
    void (*shutdown)(struct engine *engine);

    /* Takes over an accepted connection; `closed` gets the handle last. */
    struct engine_socket *(*accept)(struct engine *engine, int listener, uv_tcp_t *tcp, uv_close_cb closed);
    /* Call it when the engine reads the connection, before the loop waits for input: else heads are not checked. It may
     * report a request whose bytes came behind an earlier one. */
    void (*watch)(struct engine_socket *socket);
    /* Measures a connection, and drops what has arrived of discarded bodies. */
    struct engine_held (*measure)(struct engine_socket *socket);
    /* The value of the n-th line (from 0) of a header of an unfinished request, by its lower-case name; base NULL when
     * there are fewer. Only after `measure`. */
    struct engine_text (*unfinished_header)(struct engine_socket *socket, uint32_t request, const char *name, size_t n);
    /* Stops keeping the body of the newest unfinished request that is still kept, and leaves at least `keep` of them.
     * Returns false when there is none, or the protocol cannot. */
    bool (*discard_newest)(struct engine_socket *socket, uint32_t keep);
    /* Whether the body of a received request was discarded. Call it once a request. */
    bool (*was_discarded)(const struct engine_request *raw);
    /* HTTP/1: sends a whole response to a request that has not been received yet, and discards all further input.
     * Returns false when the connection cannot be answered now. Copies `text`. */
    bool (*answer_early)(struct engine_socket *socket, const char *text, size_t len);
    /* Whether a TLS connection waits for a write that was never made; a close then ends the wait. */
    bool (*waits_for_write)(const struct engine_socket *socket);
    void (*close)(struct engine_socket *socket);

    /* The value of the n-th header (from 0) of a lower-case name; base NULL when there are fewer. */
    struct engine_text (*header)(const struct engine_request *raw, const char *name, size_t n);
    /* Copies name and value. */
    void (*add_header)(struct engine_request *raw, const char *name, const char *value);
    /* Sends a whole response and copies the body. `reason` is static. `content_length`: SIZE_MAX for none. */
    void (*reply)(struct engine_request *raw, int status, const char *reason, size_t content_length, const void *body,
                  size_t len);
    /* A response in chunks. `data` must live until chunk_sent; one chunk at a time, the end included. */
    void (*stream_start)(struct engine_request *raw, int status, const char *reason);
    void (*stream_send)(struct engine_request *raw, const void *data, size_t len);
    void (*stream_end)(struct engine_request *raw);
};

extern const struct engine_ops engine_h2o;

#endif
