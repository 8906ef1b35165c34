/* Replies: complete ones, problem documents, streams. */
#include "core/http/http_internal.h"

#include "core/base/clock.h"
#include "core/base/must.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *reply_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {406, "Not Acceptable"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {410, "Gone"},
                   {411, "Length Required"},
                   {412, "Precondition Failed"},
                   {413, "Payload Too Large"},
                   {414, "URI Too Long"},
                   {415, "Unsupported Media Type"},
                   {416, "Range Not Satisfiable"},
                   {417, "Expectation Failed"},
                   {421, "Misdirected Request"},
                   {422, "Unprocessable Content"},
                   {428, "Precondition Required"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {502, "Bad Gateway"},
                   {503, "Service Unavailable"},
                   {504, "Gateway Timeout"},
                   {505, "HTTP Version Not Supported"},
                   {507, "Insufficient Storage"}};

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

/* A control character in a value could end the header line and begin another. */
static bool reply_header_is_valid(const char *value)
{
    for (; *value; value++)
        if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
            return false;
    return true;
}

bool http_add_header(struct http_request *request, const char *name, const char *value)
{
    if (!reply_header_is_valid(value))
        return false;
    if (request->raw && !request->answered)
        request->server->ops->add_header(request->raw, name, value);
    return true;
}

static bool reply_is_head(const struct http_request *request)
{
    return request->head.method.len == 4 && memcmp(request->head.method.base, "HEAD", 4) == 0;
}

static void reply_begin(struct http_request *request, int status, const char *content_type)
{
    request->status = status;
    if (content_type)
        http_add_header(request, "content-type", content_type);
    http_add_header(request, "x-request-id", request->id);
    http_add_header(request, "x-content-type-options", "nosniff");
    http_add_header(request, "cross-origin-resource-policy", "same-origin");
    request->answered = true;
}

bool http_answer_fits(struct http_request *request, size_t len)
{
    if (budget_answer_fits(request, len))
        return true;
    http_problem(request, 503, "http-memory",
                 "Too many bytes of answers wait to be read (KITH_HTTP_MEMORY, KITH_HTTP_ADDRESS_MEMORY).");
    return false;
}

void http_reply(struct http_request *request, int status, const char *content_type, const void *body, size_t len)
{
    size_t content_length = status == 304 || status == 204 ? SIZE_MAX : len;

    if (!request->raw)
        return;
    assert(!request->answered);
    if (!http_answer_fits(request, len))
        return;
    budget_take_answer(request, len);
    reply_begin(request, status, content_type);
    if (status == 504) /* the work may go on: its result is not needed */
        cancel_set(request->cancel);
    /* HEAD: the Content-Length of the GET response without its body (RFC 9110, 9.3.2). */
    request->server->ops->reply(request->raw, status, reply_reason(status), content_length, body,
                                reply_is_head(request) ? 0 : len);
}

void http_reply_buf(struct http_request *request, int status, const char *content_type, struct buf *body)
{
    http_reply(request, status, content_type, body->data, body->len);
    buf_free(body);
}

static void reply_problem(struct http_request *request, int status, const char *slug, const char *members,
                          const char *detail, va_list args)
{
    struct buf body = {0};
    char text[1024];

    if (!request->raw || request->answered)
        return;
    vsnprintf(text, sizeof text, detail, args);
    buf_printf(&body, "{\"type\":\"urn:kith:problem:%s\",\"title\":\"%s\",\"status\":%d,\"detail\":", slug,
               reply_reason(status), status);
    buf_json(&body, text);
    buf_str(&body, ",\"instance\":");
    buf_json(&body, request->id);
    if (members) {
        buf_str(&body, ",");
        buf_str(&body, members);
    }
    buf_str(&body, "}\n");
    if (status == 503)
        http_add_header(request, "retry-after", "1");
    http_reply_buf(request, status, "application/problem+json", &body);
}

void http_problem(struct http_request *request, int status, const char *slug, const char *detail, ...)
{
    va_list args;

    va_start(args, detail);
    reply_problem(request, status, slug, NULL, detail, args);
    va_end(args);
}

void http_problem_with(struct http_request *request, int status, const char *slug, const char *members,
                       const char *detail, ...)
{
    va_list args;

    va_start(args, detail);
    reply_problem(request, status, slug, members, detail, args);
    va_end(args);
}

bool http_etag_matches(const struct http_request *request, const char *etag)
{
    char given[512];

    return http_request_header(request, "if-none-match", given, sizeof given) && strstr(given, etag);
}

bool http_not_modified(struct http_request *request, const char *etag)
{
    http_add_header(request, "etag", etag);
    if (!http_etag_matches(request, etag))
        return false;
    http_reply(request, 304, NULL, NULL, 0);
    return true;
}

/* --- streams --- */

bool http_stream_start(struct http_request *request, const char *content_type, const struct http_stream_ops *ops,
                       void *context)
{
    if (!request->raw)
        return false;
    if (request->server->stats.streams >= request->server->o.max_streams || request->server->stopping) {
        http_problem(request, 503, "too-many-streams", "More than %u event streams are open (KITH_MAX_SUBSCRIBERS).",
                     request->server->o.max_streams);
        return false;
    }
    http_add_header(request, "cache-control", "no-store");
    reply_begin(request, 200, content_type);
    if (reply_is_head(request)) {
        request->due_ms = clock_monotonic_ms() + request->server->o.response_timeout_ms;
        request->server->ops->reply(request->raw, 200, reply_reason(200), SIZE_MAX, NULL, 0);
        return false;
    }
    request->streaming = true;
    request->stream_ops = ops;
    request->stream_context = context;
    request->server->stats.streams++;
    http_request_ref(request);
    request->server->ops->stream_start(request->raw, 200, reply_reason(200));
    return true;
}

void http_stream_send(struct http_request *request, const void *data, size_t len)
{
    if (!request->raw || !request->streaming || request->stream_ended)
        return;
    assert(!request->chunk_waits);
    request->chunk = malloc(len ? len : 1);
    if (!request->chunk)
        out_of_memory();
    memcpy(request->chunk, data, len);
    request->chunk_waits = true;
    request->due_ms = clock_monotonic_ms() + request->server->o.response_timeout_ms;
    request->server->ops->stream_send(request->raw, request->chunk, len);
}

void http_stream_end(struct http_request *request)
{
    if (!request->raw || !request->streaming || request->stream_ended)
        return;
    request->stream_ended = true;
    if (request->chunk_waits) { /* the engine takes one chunk at a time, the end included */
        guard_cut(request->conn);
        return;
    }
    request->chunk_waits = true;
    request->due_ms = clock_monotonic_ms() + request->server->o.response_timeout_ms;
    request->server->ops->stream_end(request->raw);
}
