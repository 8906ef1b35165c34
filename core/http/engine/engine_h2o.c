/* The engine on libh2o 2.2.5: HTTP/1.1 and HTTP/2. */
#include "core/http/engine/engine_h2o.h"

#include "core/base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENGINE_LISTENERS_MAX = 8 };

struct engine_listener {
    h2o_accept_ctx_t accept;
    void *owner;
    h2o_hostconf_t *hosts[2]; /* the host of this listener, NULL */
};

struct engine {
    h2o_globalconf_t config;
    h2o_context_t context;
    const struct engine_callbacks *callbacks;
    struct h2o_input_config input;
    struct engine_listener listeners[ENGINE_LISTENERS_MAX];
    int listener_count;
};

struct engine_handler {
    h2o_handler_t super;
    struct engine *engine;
    void *listener;
};

/* Lives in libh2o's pool of the request. */
struct h2o_request {
    struct engine_request base; /* first */
    struct engine *engine;
    h2o_req_t *req;
    h2o_generator_t generator;
};

static h2o_req_t *h2o_request_of(const struct engine_request *raw)
{
    return ((const struct h2o_request *)raw)->req;
}

static void h2o_on_dispose(void *data)
{
    struct h2o_request *r = data;

    r->engine->callbacks->disposed(r->base.owner);
}

static int h2o_on_request(h2o_handler_t *self, h2o_req_t *req)
{
    struct engine_handler *handler = (struct engine_handler *)self;
    struct h2o_request *r = h2o_mem_alloc_shared(&req->pool, sizeof *r, h2o_on_dispose);
    const h2o_socket_t *sock = req->conn->callbacks->get_socket(req->conn);
    const struct engine_head head = {.method = {req->method.base, req->method.len},
                                     .target = {req->path.base, req->path.len},
                                     .authority = {req->input.authority.base, req->input.authority.len},
                                     .body = {req->entity.base, req->entity.len},
                                     .path_len = req->query_at == SIZE_MAX ? req->path.len : req->query_at,
                                     .fd = h2o_socket_get_fd((h2o_socket_t *)(uintptr_t)sock),
                                     .version = req->version >> 8};

    *r = (struct h2o_request){.engine = handler->engine, .req = req};
    handler->engine->callbacks->received(handler->listener, &r->base, &head);
    return 0;
}

/* libh2o fixes its list of hosts when its context is made, so the hosts of all listeners are registered first. */
static void h2o_engine_register(struct engine *engine, int i, void *listener)
{
    struct engine_listener *l = &engine->listeners[i];
    struct engine_handler *handler;
    char name[32];

    snprintf(name, sizeof name, "listener%d", i);
    l->hosts[0] = h2o_config_register_host(&engine->config, h2o_iovec_init(name, strlen(name)), 65535);
    handler =
        (struct engine_handler *)h2o_create_handler(h2o_config_register_path(l->hosts[0], "/", 0), sizeof *handler);
    handler->super.on_req = h2o_on_request;
    handler->engine = engine;
    handler->listener = l->owner = listener;
    l->accept.ctx = &engine->context;
    l->accept.hosts = l->hosts;
}

static struct engine *h2o_engine_new(const struct engine_options *options)
{
    struct engine *engine = calloc(1, sizeof *engine);

    if (!engine || options->listener_count > ENGINE_LISTENERS_MAX)
        out_of_memory();
    engine->callbacks = options->callbacks;
    engine->input = (struct h2o_input_config){options->callbacks, options->max_head};
    engine->listener_count = options->listener_count;
    h2o_config_init(&engine->config);
    engine->config.server_name = h2o_iovec_init(H2O_STRLIT("kith"));
    /* Up to this size the request is received and gets our 413 on both protocols. Beyond it, HTTP/1 gets the library's
     * own 413 and an HTTP/2 stream is reset. */
    engine->config.max_request_entity_size = options->max_body * 2;
    h2o_socket_buffer_mmap_settings.threshold = SIZE_MAX; /* no request data in unlinked files under /tmp */
    /* The guard watches progress; the library's timeouts would cut slow but steady uploads. */
    engine->config.http1.req_timeout = 3600ULL * 1000;
    engine->config.http2.idle_timeout = 3600ULL * 1000;
    engine->config.http2.graceful_shutdown_timeout = options->shutdown_grace_ms ? options->shutdown_grace_ms : 1;
    engine->config.http1.upgrade_to_http2 = 1;
    for (int i = 0; i < options->listener_count; i++)
        h2o_engine_register(engine, i, options->listeners[i]);
    h2o_context_init(&engine->context, options->loop, &engine->config);
    return engine;
}

static void h2o_engine_set_tls(struct engine *engine, SSL_CTX *context)
{
    for (int i = 0; i < engine->listener_count; i++)
        engine->listeners[i].accept.ssl_ctx = context;
}

static void h2o_engine_register_alpn(SSL_CTX *context)
{
    /* In order of preference. */
    static const h2o_iovec_t protocols[] = {{H2O_STRLIT("h2")}, {H2O_STRLIT("http/1.1")}, {NULL, 0}};

    h2o_ssl_register_alpn_protocols(context, protocols);
}

static void h2o_engine_shutdown(struct engine *engine)
{
    h2o_context_request_shutdown(&engine->context); /* GOAWAY to HTTP/2; HTTP/1 has no equivalent */
}

/* --- connections: struct engine_socket is libh2o's socket --- */

static h2o_socket_t *h2o_socket_of(const struct engine_socket *socket)
{
    return (h2o_socket_t *)(uintptr_t)socket;
}

/* As libh2o's own, but for input that came with the end of the handshake: HTTP/1 would parse it without a read. */
static void h2o_engine_on_handshake(h2o_socket_t *sock, const char *err)
{
    h2o_accept_ctx_t *accept = sock->data;
    const struct timeval now = *h2o_get_timestamp(accept->ctx, NULL, NULL);
    h2o_iovec_t protocol;

    sock->data = NULL;
    if (err) { /* there may be no session */
        h2o_socket_close(sock);
        return;
    }
    protocol = h2o_socket_ssl_get_selected_protocol(sock);
    if (h2o_memis(protocol.base, protocol.len, H2O_STRLIT("h2"))) {
        h2o_http2_accept(accept, sock, now);
    } else {
        h2o_input_begin(sock);
        h2o_http1_accept(accept, sock, now);
    }
}

static struct engine_socket *h2o_engine_accept(struct engine *engine, int listener, uv_tcp_t *tcp, uv_close_cb closed)
{
    h2o_socket_t *sock = h2o_uv_socket_create((uv_stream_t *)tcp, closed);

    h2o_accept_ctx_t *accept = &engine->listeners[listener].accept;

    h2o_input_add(&engine->context, sock, engine->listeners[listener].owner, &engine->input);
    if (accept->ssl_ctx) {
        sock->data = accept;
        h2o_socket_ssl_handshake(sock, accept->ssl_ctx, NULL, h2o_engine_on_handshake);
    } else {
        h2o_accept(accept, sock);
    }
    return (struct engine_socket *)sock;
}

static bool h2o_engine_waits_for_write(const struct engine_socket *socket)
{
    const h2o_socket_t *sock = h2o_socket_of(socket);

    return sock->ssl && sock->_cb.write;
}

static void h2o_engine_close(struct engine_socket *socket)
{
    h2o_socket_close(h2o_socket_of(socket));
}

/* --- requests --- */

struct engine_text h2o_engine_find_header(const h2o_req_t *req, const char *name, size_t n)
{
    const size_t len = strlen(name);

    for (size_t i = 0; i < req->headers.size; i++) {
        const h2o_header_t *h = &req->headers.entries[i];

        if (h2o_memis(h->name->base, h->name->len, name, len) && n-- == 0)
            return (struct engine_text){h->value.base, h->value.len};
    }
    return (struct engine_text){NULL, 0};
}

static struct engine_text h2o_engine_header(const struct engine_request *raw, const char *name, size_t n)
{
    return h2o_engine_find_header(h2o_request_of(raw), name, n);
}

static bool h2o_engine_was_discarded(const struct engine_request *raw)
{
    h2o_req_t *req = h2o_request_of(raw);

    return req->version >= 0x200 && h2o_engine_is_discarded(req);
}

static void h2o_engine_add_header(struct engine_request *raw, const char *name, const char *value)
{
    h2o_req_t *req = h2o_request_of(raw);
    h2o_iovec_t n = h2o_strdup(&req->pool, name, SIZE_MAX), v = h2o_strdup(&req->pool, value, SIZE_MAX);

    h2o_add_header_by_str(&req->pool, &req->res.headers, n.base, n.len, 1, NULL, v.base, v.len);
}

static void h2o_engine_reply(struct engine_request *raw, int status, const char *reason, size_t content_length,
                             const void *body, size_t len)
{
    static h2o_generator_t no_generator = {NULL, NULL};
    h2o_req_t *req = h2o_request_of(raw);
    h2o_iovec_t copy = h2o_strdup(&req->pool, len ? body : "", len);

    req->res.status = status;
    req->res.reason = reason;
    req->res.content_length = content_length;
    h2o_start_response(req, &no_generator);
    h2o_send(req, &copy, len ? 1 : 0, H2O_SEND_STATE_FINAL);
}

static void h2o_on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    struct h2o_request *r = (struct h2o_request *)((char *)generator - offsetof(struct h2o_request, generator));

    (void)req;
    r->engine->callbacks->chunk_sent(r->base.owner);
}

static void h2o_on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    (void)generator, (void)req; /* the request is disposed of next: that ends the stream */
}

static void h2o_engine_stream_start(struct engine_request *raw, int status, const char *reason)
{
    struct h2o_request *r = (struct h2o_request *)raw;

    r->req->res.status = status;
    r->req->res.reason = reason;
    r->generator = (h2o_generator_t){h2o_on_proceed, h2o_on_stop};
    h2o_start_response(r->req, &r->generator);
}

static void h2o_engine_stream_send(struct engine_request *raw, const void *data, size_t len)
{
    h2o_iovec_t chunk = h2o_iovec_init(data, len);

    h2o_send(h2o_request_of(raw), &chunk, 1, H2O_SEND_STATE_IN_PROGRESS);
}

static void h2o_engine_stream_end(struct engine_request *raw)
{
    h2o_send(h2o_request_of(raw), NULL, 0, H2O_SEND_STATE_FINAL);
}

const struct engine_ops engine_h2o = {
    .engine_new = h2o_engine_new,
    .set_tls = h2o_engine_set_tls,
    .register_alpn = h2o_engine_register_alpn,
    .shutdown = h2o_engine_shutdown,
    .accept = h2o_engine_accept,
    .watch = h2o_engine_watch,
    .measure = h2o_engine_measure,
    .unfinished_header = h2o_engine_unfinished_header,
    .discard_newest = h2o_engine_discard_newest,
    .was_discarded = h2o_engine_was_discarded,
    .answer_early = h2o_engine_answer_early,
    .waits_for_write = h2o_engine_waits_for_write,
    .close = h2o_engine_close,
    .header = h2o_engine_header,
    .add_header = h2o_engine_add_header,
    .reply = h2o_engine_reply,
    .stream_start = h2o_engine_stream_start,
    .stream_send = h2o_engine_stream_send,
    .stream_end = h2o_engine_stream_end,
};
