/* What a connection holds of requests, read from libh2o's own structs.
 *
 * libh2o 2.2.5 reports a request only when its body is complete, and has no limit over the bodies of a connection. The
 * body of an HTTP/1 request stays in the socket's input buffer; those of HTTP/2 lie in a buffer of each stream.
 */
#include "core/http/engine/engine_h2o.h"

#include <string.h>
#include <strings.h>

static h2o_http2_conn_t *held_find_http2(h2o_context_t *context, const h2o_socket_t *sock)
{
    for (h2o_linklist_t *l = context->http2._conns.next; l != &context->http2._conns; l = l->next) {
        h2o_http2_conn_t *conn = H2O_STRUCT_FROM_MEMBER(h2o_http2_conn_t, _conns, l);

        if (conn->sock == sock)
            return conn;
    }
    return NULL;
}

static bool held_is_discarded(const struct h2o_memo *memo, uint32_t stream_id)
{
    for (uint32_t i = 0; i < memo->discarded_count; i++)
        if (memo->discarded[i] == stream_id)
            return true;
    return false;
}

static bool held_is_unfinished(const h2o_http2_stream_t *stream)
{
    return stream->state == H2O_HTTP2_STREAM_STATE_RECV_HEADERS || stream->state == H2O_HTTP2_STREAM_STATE_RECV_BODY;
}

static void held_drop_body(h2o_http2_stream_t *stream)
{
    stream->_expected_content_length = SIZE_MAX; /* else the missing bytes would be an error of the protocol */
    if (stream->_req_body && stream->_req_body->size)
        h2o_buffer_consume(&stream->_req_body, stream->_req_body->size);
}

static void held_measure_http2(struct h2o_memo *memo, struct engine_held *held)
{
    h2o_http2_conn_t *conn = memo->http2;

    if (conn->_headers_unparsed)
        held->bytes += conn->_headers_unparsed->size;
    for (khiter_t i = 0; i < kh_end(conn->streams); i++) {
        h2o_http2_stream_t *stream;

        if (!kh_exist(conn->streams, i))
            continue;
        stream = kh_val(conn->streams, i);
        if (stream->state == H2O_HTTP2_STREAM_STATE_RECV_BODY && held_is_discarded(memo, stream->stream_id))
            held_drop_body(stream);
        if (stream->_req_body)
            held->bytes += stream->_req_body->size;
        held->unfinished += held_is_unfinished(stream);
    }
    if (held->unfinished == 0 && conn->sock->input->size) /* a frame in parts */
        held->unfinished = 1;
}

/* NULL when libh2o has closed the socket. */
static struct h2o_memo *held_memo_of(const struct engine_socket *socket)
{
    return h2o_memo_of((const h2o_socket_t *)(const void *)socket);
}

struct engine_held h2o_engine_measure(struct engine_socket *socket)
{
    h2o_socket_t *sock = (h2o_socket_t *)(void *)socket;
    struct h2o_memo *memo = held_memo_of(socket);
    struct engine_held held = {.bytes = sock->input ? sock->input->size : 0};

    if (!memo)
        return held;
    held.bytes += memo->held_len;
    /* The end of a TLS session outlives its HTTP/2 connection. */
    if (!memo->http2 || sock->ssl)
        memo->http2 = held_find_http2(memo->context, sock);
    held.http2 = memo->http2 != NULL;
    if (memo->http2)
        held_measure_http2(memo, &held);
    else /* the input of a request that is being answered stays in the buffer, too: the guard knows of it */
        held.unfinished = held.bytes > 0;
    return held;
}

/* Unfinished HTTP/2 requests in the order of the table. */
static h2o_http2_stream_t *held_nth_unfinished(const struct h2o_memo *memo, uint32_t n)
{
    h2o_http2_conn_t *conn = memo->http2;

    for (khiter_t i = 0; i < kh_end(conn->streams); i++)
        if (kh_exist(conn->streams, i) && kh_val(conn->streams, i)->state == H2O_HTTP2_STREAM_STATE_RECV_BODY &&
            n-- == 0)
            return kh_val(conn->streams, i);
    return NULL;
}

/* A header in the raw head of an HTTP/1 request: the value of its n-th line. */
static struct engine_text held_raw_header(const char *head, size_t len, const char *name, size_t nth)
{
    const char *end = head + len, *line = head;
    size_t n = strlen(name);

    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const char *value = line + n + 1, *last = stop;

        if (!stop || stop - line <= 1) /* incomplete, or the empty line after the headers */
            break;
        if ((size_t)(stop - line) > n && line[n] == ':' && strncasecmp(line, name, n) == 0 && nth-- == 0) {
            while (value < last && (*value == ' ' || *value == '\t'))
                value++;
            while (last > value && (last[-1] == '\r' || last[-1] == ' ' || last[-1] == '\t'))
                last--;
            return (struct engine_text){value, (size_t)(last - value)};
        }
        line = stop + 1;
    }
    return (struct engine_text){NULL, 0};
}

struct engine_text h2o_engine_unfinished_header(struct engine_socket *socket, uint32_t n, const char *name, size_t line)
{
    const struct h2o_memo *memo = held_memo_of(socket);
    const struct engine_text none = {NULL, 0};
    h2o_http2_stream_t *stream;

    if (!memo)
        return none;
    if (!memo->http2)
        return n == 0 && memo->sock->input
                   ? held_raw_header(memo->sock->input->bytes, memo->sock->input->size, name, line)
                   : none;
    stream = held_nth_unfinished(memo, n);
    return stream ? h2o_engine_find_header(&stream->req, name, line) : none;
}

/* Streams that were reset leave their ids behind. */
static void held_forget_closed(struct h2o_memo *memo)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < memo->discarded_count; i++)
        if (h2o_http2_conn_get_stream(memo->http2, memo->discarded[i]))
            memo->discarded[kept++] = memo->discarded[i];
    memo->discarded_count = kept;
}

bool h2o_engine_discard_newest(struct engine_socket *socket, uint32_t keep)
{
    struct h2o_memo *memo = held_memo_of(socket);
    h2o_http2_stream_t *newest = NULL;
    uint32_t count = 0;

    if (!memo || !memo->http2)
        return false;
    held_forget_closed(memo);
    if (memo->discarded_count == DISCARDED_MAX)
        return false;
    for (khiter_t i = 0; i < kh_end(memo->http2->streams); i++) {
        h2o_http2_stream_t *stream;

        if (!kh_exist(memo->http2->streams, i))
            continue;
        stream = kh_val(memo->http2->streams, i);
        if (stream->state != H2O_HTTP2_STREAM_STATE_RECV_BODY || held_is_discarded(memo, stream->stream_id))
            continue;
        count++;
        if (!newest || stream->stream_id > newest->stream_id)
            newest = stream;
    }
    if (count <= keep)
        return false;
    memo->discarded[memo->discarded_count++] = newest->stream_id;
    held_drop_body(newest);
    return true;
}

bool h2o_engine_is_discarded(h2o_req_t *req)
{
    struct h2o_memo *memo = h2o_memo_of(req->conn->callbacks->get_socket(req->conn));
    uint32_t id;

    if (!memo || !memo->http2)
        return false;
    id = H2O_STRUCT_FROM_MEMBER(h2o_http2_stream_t, req, req)->stream_id;
    for (uint32_t i = 0; i < memo->discarded_count; i++) {
        if (memo->discarded[i] == id) {
            memo->discarded[i] = memo->discarded[--memo->discarded_count];
            return true;
        }
    }
    return false;
}
