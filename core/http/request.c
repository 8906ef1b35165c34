/* A request from its arrival to its disposal. */
#include "core/http/http_internal.h"

#include "core/base/clock.h"
#include "core/base/log/log.h"
#include "core/base/must.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An error of the client, or too much load: what a flood of requests gets. */
static bool request_was_refused(const struct http_request *request)
{
    return request->answered && ((request->status >= 400 && request->status < 500) || request->status == 503);
}

static void request_log_access(const struct http_request *request)
{
    const struct engine_head *head = &request->head;
    char method[16], path[256];

    if (request_was_refused(request) && !log_rate_permits(&request->server->log_requests, clock_monotonic_ms()))
        return;
    snprintf(method, sizeof method, "%.*s", (int)head->method.len, head->method.base);
    snprintf(path, sizeof path, "%.*s", (int)head->target.len, head->target.base);
    log_event(LOG_INFO, "request", LOG_STR("id", request->id),
              LOG_SOME("trace", request->trace[0] ? request->trace : NULL),
              LOG_SOME("who", request->who[0] ? request->who : NULL), LOG_STR("method", method), LOG_STR("path", path),
              LOG_INT("status", request->answered && !request->left ? request->status : 499),
              LOG_INT("ms", clock_monotonic_ms() - request->begun_ms), LOG_INT("http", head->version));
}

static void request_chunk_sent(struct http_request *request)
{
    free(request->chunk);
    request->chunk = NULL;
    request->chunk_waits = false;
    request->due_ms = 0;
    if (request->streaming)
        request->stream_ops->ready(request->stream_context);
}

static void request_disposed(struct http_request *request)
{
    if (request->server->o.access_log && log_wants(LOG_INFO))
        request_log_access(request);
    guard_request_ends(request);
    request->raw = NULL;
    if (!request->answered)
        cancel_set(request->cancel);
    free(request->chunk);
    request->chunk = NULL;
    if (request->streaming) {
        request->server->stats.streams--;
        request->streaming = false;
        request->stream_ops->gone(request->stream_context);
        http_request_unref(request);
    }
    http_request_unref(request);
}

struct http_request *http_request_ref(struct http_request *request)
{
    request->refs++;
    return request;
}

void http_request_unref(struct http_request *request)
{
    assert(request->refs > 0);
    /* Only the engine's reference is left and nobody can answer any more. */
    if (--request->refs == 1 && request->raw && !request->answered)
        http_problem(request, 500, "no-answer", "The request was dropped without an answer.");
    else if (request->refs == 0) {
        request->server->live--;
        cancel_unref(request->cancel);
        free(request);
    }
}

static void request_make_id(struct http_request *request)
{
    char given[ID_BYTES];

    if (http_request_header(request, "x-request-id", given, sizeof given) && given[0]) {
        size_t i = 0;

        while (isalnum((unsigned char)given[i]) || (given[i] && strchr("-_.:", given[i])))
            i++;
        if (!given[i]) {
            memcpy(request->id, given, sizeof given);
            return;
        }
    }
    snprintf(request->id, sizeof request->id, "%08x-%llu", request->server->boot,
             (unsigned long long)request->server->serial++);
}

/* Format: version-trace-parent-flags. Later versions may append fields; these are ignored. */
static void request_read_trace(struct http_request *request)
{
    static const uint8_t dashes[] = {2, 35, 52};
    char text[128];

    if (!http_request_header(request, "traceparent", text, sizeof text) || strlen(text) < HTTP_TRACE_BYTES - 1)
        return;
    for (size_t i = 0, dash = 0; i < HTTP_TRACE_BYTES - 1; i++) {
        if (dash < sizeof dashes && i == dashes[dash]) {
            if (text[i] != '-')
                return;
            dash++;
        } else if (!strchr("0123456789abcdef", text[i])) {
            return;
        }
    }
    if (strncmp(text, "ff", 2) == 0 || strspn(text + 3, "0") >= 32 || strspn(text + 36, "0") >= 16)
        return;
    memcpy(request->trace, text, HTTP_TRACE_BYTES - 1);
}

void request_refuse_method(struct http_request *request, const char *allow)
{
    if (!allow[0]) {
        http_problem(request, 404, "not-found", "There is nothing at this path.");
        return;
    }
    http_add_header(request, "allow", allow);
    http_problem(request, 405, "method-not-allowed", "This path takes the methods %s.", allow);
}

static void request_dispatch(struct listener *listener, struct http_request *request)
{
    struct http_server *server = listener->server;
    const struct engine_head *head = &request->head;
    bool discarded = server->ops->was_discarded(request->raw);
    struct trust_client client;
    char methods[64];

    if (!header_fits(request) || !origin_find_client(request, &client))
        return;
    if (discarded && server->o.admits && !request->conn->budget.admitted) {
        http_add_header(request, "www-authenticate", "Bearer");
        http_problem(request, 401, "no-key", "A body of this size needs an API key (KITH_UNKNOWN_BODY).");
    } else if (origin_is_foreign(listener, request, &client)) {
        http_problem(request, 403, "foreign-origin",
                     "Requests from pages of other sites are refused (KITH_PUBLIC_URL, KITH_CORS_ORIGINS).");
    } else if (head->body.len > server->o.max_body) {
        http_problem(request, 413, "body-too-large", "The body has %zu bytes; the limit is %zu (KITH_MAX_BODY).",
                     head->body.len, server->o.max_body);
    } else if (discarded) {
        http_problem(request, 503, "http-memory",
                     "Too many bytes of request bodies are under way (KITH_HTTP_MEMORY, KITH_HTTP_ADDRESS_MEMORY).");
    } else if (server->live > server->o.max_requests) {
        http_problem(request, 503, "overloaded", "More than %u requests are under way (KITH_MAX_REQUESTS).",
                     server->o.max_requests);
    } else if ((request->route = route_find(server->o.routes, head->method.base, head->method.len, head->target.base,
                                            head->path_len, request))) {
        if (query_fits(request))
            server->o.dispatch(server->o.context, request->route, http_request_ref(request));
    } else if (!files_serve(listener->files, request)) {
        route_methods(server->o.routes, head->target.base, head->path_len, methods, sizeof methods);
        if (!origin_answer_preflight(request, methods))
            request_refuse_method(request, methods);
    }
}

static void request_received(void *context, struct engine_request *raw, const struct engine_head *head)
{
    struct listener *listener = context;
    struct http_server *server = listener->server;
    struct conn *conn = guard_conn_of(server, head->fd);
    struct http_request *request = calloc(1, sizeof *request);

    if (!request)
        out_of_memory();
    assert(conn);
    raw->owner = request;
    request->server = server;
    request->raw = raw;
    request->head = *head;
    request->refs = 1;
    request->begun_ms = clock_monotonic_ms();
    request->client = conn->peer->address;
    request->cancel = cancel_new();
    server->live++;
    server->stats.handled++;
    guard_request_begins(conn, request);
    if (head->body.len)
        budget_update(conn);
    request_make_id(request);
    request_read_trace(request);
    if (head->version == 2 && head->target.len == 0) /* RFC 9113, 8.3.1; libh2o lets it pass */
        guard_cut_because(conn, "empty path");
    if (!conn->cut)
        request_dispatch(listener, request);
    else if (head->version == 1) /* the engine parses what it has read, but sees the end only behind an answer */
        http_problem(request, 503, "closed", "The connection was closed.");
}

static void request_malformed(void *context, int fd, int status, const char *why)
{
    struct conn *conn = guard_conn_of(((struct listener *)context)->server, fd);

    if (conn)
        early_refuse_head(conn, status, why);
}

const struct engine_callbacks request_callbacks = {.received = request_received,
                                                   .malformed = request_malformed,
                                                   .chunk_sent = request_chunk_sent,
                                                   .disposed = request_disposed};

const struct http_route *http_request_route(const struct http_request *request)
{
    return request->route;
}

const char *http_request_part(const struct http_request *request, int n)
{
    return n < PARTS_MAX ? request->parts[n] : "";
}

const char *http_request_trace(const struct http_request *request)
{
    return request->trace;
}

const char *http_request_id(const struct http_request *request)
{
    return request->id;
}

void http_request_address(const struct http_request *request, char *text, size_t size)
{
    guard_write_address(&request->client, text, size);
}

bool http_request_address_is_limited(const struct http_request *request)
{
    return !trust_is_proxy(request->server->o.trust, &request->client);
}

bool http_request_is_secure(const struct http_request *request)
{
    return request->secure;
}

uint64_t http_request_key(const struct http_request *request)
{
    return request->key;
}

void http_request_set_who(struct http_request *request, const char *who, uint64_t key)
{
    if (request->conn && key)
        request->conn->budget.admitted = true;
    request->key = key;
    snprintf(request->who, sizeof request->who, "%s", who);
}

void http_request_set_context(struct http_request *request, void *context)
{
    request->context = context;
}

void *http_request_context(const struct http_request *request)
{
    return request->context;
}

const char *http_request_who(const struct http_request *request)
{
    return request->who;
}

struct cancel *http_request_cancel(const struct http_request *request)
{
    return request->cancel;
}

const char *http_request_body(const struct http_request *request, size_t *len)
{
    *len = request->raw ? request->head.body.len : 0;
    return request->raw ? request->head.body.base : NULL;
}
