/* Sees an HTTP/1 request before libh2o parses it, and answers in its place.
 *
 * libh2o reads HTTP/1 with one callback of the socket. The watch replaces it by h2o_input_on_read, which checks what
 * has arrived and calls it. libh2o sets its callback again when it starts reading, so the watch is called before each
 * wait for input.
 *
 * libh2o gets one request at a time: when it has answered one, it would parse what lies behind it in the input without
 * a read. Bytes behind a whole request are therefore held here. When libh2o reads again, the watch puts them into the
 * input, as if they had arrived then; after a change of the protocol they belong to HTTP/2.
 *
 * Once the connection is answered here, its input is discarded. libh2o learns of the end of the connection only.
 */
#include "core/http/engine/engine_h2o.h"

#include "core/base/must.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { INPUT_NO_HTTP = -1 };

/* The first members of libh2o's struct st_h2o_http1_conn_t. */
struct h2o_http1_start {
    h2o_conn_t super;
    h2o_socket_t *sock;
    h2o_linklist_t conns;
};

static void h2o_input_forget(void *data)
{
    struct h2o_memo *memo = data;

    memo->sock->on_close.data = NULL;
    free(memo->held);
    free(memo->answer);
    free(memo);
}

void h2o_input_add(h2o_context_t *context, h2o_socket_t *sock, void *listener, const struct h2o_input_config *config)
{
    struct h2o_memo *memo = calloc(1, sizeof *memo);

    if (!memo)
        out_of_memory();
    memo->context = context;
    memo->sock = sock;
    memo->listener = listener;
    memo->config = config;
    sock->on_close.cb = h2o_input_forget;
    sock->on_close.data = memo;
}

struct h2o_memo *h2o_memo_of(const h2o_socket_t *sock)
{
    return sock->on_close.data;
}

static void h2o_input_discard(struct h2o_memo *memo)
{
    h2o_socket_t *sock = memo->sock;

    if (sock->input->size)
        h2o_buffer_consume(&sock->input, sock->input->size);
    free(memo->held);
    memo->held = NULL;
    memo->held_len = 0;
}

/* Takes what lies behind `end` out of the input. Nothing is held yet: libh2o does not read in the meantime. */
static void h2o_input_hold(struct h2o_memo *memo, size_t end)
{
    h2o_buffer_t *input = memo->sock->input;

    if (input->size == end)
        return;
    memo->held_len = input->size - end;
    memo->held = malloc(memo->held_len);
    if (!memo->held)
        out_of_memory();
    memcpy(memo->held, input->bytes + end, memo->held_len);
    input->size = end;
}

/* Puts the held bytes back. Returns false when there are none. */
static bool h2o_input_release(struct h2o_memo *memo)
{
    h2o_socket_t *sock = memo->sock;
    h2o_iovec_t space;

    if (!memo->held_len)
        return false;
    space = h2o_buffer_reserve(&sock->input, memo->held_len);
    if (!space.base)
        out_of_memory();
    memcpy(space.base, memo->held, memo->held_len);
    sock->input->size += memo->held_len;
    free(memo->held);
    memo->held = NULL;
    memo->held_len = 0;
    return true;
}

/* 0, or the status of the answer to a malformed head; INPUT_NO_HTTP: no answer. */
static int h2o_input_check_head(struct h2o_memo *memo, const char **why)
{
    const h2o_buffer_t *input = memo->sock->input;
    size_t len = request_head_length(input->bytes, input->size, memo->seen);

    *why = "The first line is no request of HTTP.";
    if (!request_head_is_http(input->bytes, input->size))
        return INPUT_NO_HTTP;
    memo->seen = input->size;
    if (len > memo->config->max_head || (!len && input->size > memo->config->max_head)) {
        *why = "The head of the request is too long (KITH_MAX_HEAD).";
        return 431;
    }
    *why = len ? request_head_error(input->bytes, len, &memo->framing) : NULL;
    if (!len || *why)
        return *why ? 400 : 0;
    memo->phase = INPUT_BODY;
    memo->chunks = (struct request_chunks){0};
    memo->seen = len;
    return 0;
}

/* Finds the end of the body. libh2o decodes chunks where they lie, so each byte is looked at before libh2o gets it. */
static int h2o_input_check_body(struct h2o_memo *memo, const char **why)
{
    const h2o_buffer_t *input = memo->sock->input;
    struct request_framing *framing = &memo->framing;
    const size_t len = input->size - memo->seen;
    size_t used = len;
    bool whole;

    if (framing->chunked) {
        *why = "The framing of the chunked body is malformed.";
        if (!request_chunks_read(&memo->chunks, input->bytes + memo->seen, len, &used))
            return 400;
        whole = memo->chunks.state == CHUNK_END;
    } else {
        if (framing->length < used)
            used = (size_t)framing->length;
        framing->length -= used;
        whole = framing->length == 0;
    }
    if (whole) {
        memo->phase = INPUT_WHOLE;
        h2o_input_hold(memo, memo->seen + used);
    }
    return 0;
}

static int h2o_input_check(struct h2o_memo *memo, const char **why)
{
    int status = 0;

    if (memo->phase == INPUT_WHOLE) { /* libh2o sees another end: it would take the next request for the body */
        *why = "Input came behind the end of the request.";
        return 400;
    }
    if (memo->phase == INPUT_HEAD)
        status = h2o_input_check_head(memo, why);
    if (status == 0 && memo->phase == INPUT_BODY && !memo->framing.http2)
        status = h2o_input_check_body(memo, why);
    return status;
}

static void h2o_input_on_read(h2o_socket_t *sock, const char *err)
{
    struct h2o_memo *memo = h2o_memo_of(sock);
    const char *why;
    int status;

    if (err) {
        memo->read(sock, err);
    } else if (memo->answered || sock->_cb.write) { /* a write during a read: libh2o's own 400, after which it closes */
        h2o_input_discard(memo);
    } else if ((status = h2o_input_check(memo, &why)) != 0) {
        memo->answered = true;
        h2o_input_discard(memo);
        memo->config->callbacks->malformed(memo->listener, h2o_socket_get_fd(sock),
                                           status == INPUT_NO_HTTP ? 0 : status, why);
    } else {
        memo->read(sock, NULL);
        if (h2o_memo_of(sock) && memo->phase == INPUT_BODY)
            memo->seen = sock->input->size;
    }
}

/* The callback is the same for all connections. Later connections stand at the end of the list. */
static bool h2o_input_is_http1(const struct h2o_memo *memo)
{
    static h2o_socket_cb http1_read;
    const h2o_linklist_t *all = &memo->context->http1._conns;

    if (http1_read)
        return memo->sock->_cb.read == http1_read;
    for (const h2o_linklist_t *l = all->prev; l != all; l = l->prev) {
        const struct h2o_http1_start *conn = H2O_STRUCT_FROM_MEMBER(struct h2o_http1_start, conns, l);

        if (conn->sock != memo->sock)
            continue;
        http1_read = memo->sock->_cb.read;
        return true;
    }
    return false;
}

void h2o_input_begin(h2o_socket_t *sock)
{
    h2o_input_hold(h2o_memo_of(sock), 0);
}

void h2o_engine_watch(struct engine_socket *socket)
{
    h2o_socket_t *sock = (h2o_socket_t *)(void *)socket;
    struct h2o_memo *memo = h2o_memo_of(sock);

    if (!memo || !sock->_cb.read || sock->_cb.read == h2o_input_on_read)
        return;
    if (!h2o_input_is_http1(memo)) {
        if (h2o_input_release(memo))
            sock->_cb.read(sock, NULL);
        return;
    }
    memo->read = sock->_cb.read;
    if (memo->phase == INPUT_WHOLE)
        memo->phase = INPUT_HEAD;
    /* In the midst of a body after the answer 100: all of the input was looked at, and may have been decoded since. */
    memo->seen = memo->phase == INPUT_BODY ? sock->input->size : 0;
    sock->_cb.read = h2o_input_on_read;
    if (h2o_input_release(memo))
        h2o_input_on_read(sock, NULL);
}

static void h2o_input_on_answered(h2o_socket_t *sock, const char *err)
{
    if (!err)
        shutdown(h2o_socket_get_fd(sock), SHUT_WR);
}

bool h2o_engine_answer_early(struct engine_socket *socket, const char *text, size_t len)
{
    h2o_socket_t *sock = (h2o_socket_t *)(void *)socket;
    struct h2o_memo *memo = h2o_memo_of(sock);
    h2o_iovec_t answer;

    if (!memo || memo->answer || sock->_cb.write || sock->_cb.read != h2o_input_on_read)
        return false;
    memo->answer = malloc(len);
    if (!memo->answer)
        out_of_memory();
    memcpy(memo->answer, text, len);
    memo->answered = true;
    h2o_input_discard(memo);
    answer = h2o_iovec_init(memo->answer, len);
    h2o_socket_write(sock, &answer, 1, h2o_input_on_answered);
    return true;
}
