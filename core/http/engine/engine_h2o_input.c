/* Sees the head of an HTTP/1 request before libh2o parses it, and answers in its place.
 *
 * libh2o reads HTTP/1 with one callback of the socket. The watch replaces it by h2o_input_on_read, which checks the
 * head and calls it. libh2o sets its callback again when it starts reading, so the watch is called before each wait for
 * input. A head that came behind another request is parsed without such a read: h2o_input_error checks it when libh2o
 * reports its request.
 *
 * Once the connection is answered here, its input is discarded. libh2o learns of the end of the connection only.
 */
#include "core/http/engine/engine_h2o.h"

#include "core/base/must.h"
#include "core/http/engine/request_head.h"

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

static void h2o_input_discard(h2o_socket_t *sock)
{
    if (sock->input->size)
        h2o_buffer_consume(&sock->input, sock->input->size);
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
    memo->head_done = len > 0;
    *why = len ? request_head_error(input->bytes, len, &memo->chunked) : NULL;
    memo->chunked = memo->chunked && !memo->partial;
    memo->chunks = (struct request_chunks){0};
    if (len)
        memo->seen = len;
    return *why ? 400 : 0;
}

/* libh2o decodes the chunks where they lie, so each byte is looked at before libh2o gets it. */
static int h2o_input_check_chunks(struct h2o_memo *memo, const char **why)
{
    const h2o_buffer_t *input = memo->sock->input;

    *why = "The framing of the chunked body is malformed.";
    return request_chunks_read(&memo->chunks, input->bytes + memo->seen, input->size - memo->seen) ? 0 : 400;
}

static int h2o_input_check(struct h2o_memo *memo, const char **why)
{
    int status = memo->head_done ? 0 : h2o_input_check_head(memo, why);

    return status == 0 && memo->chunked ? h2o_input_check_chunks(memo, why) : status;
}

static void h2o_input_on_read(h2o_socket_t *sock, const char *err)
{
    struct h2o_memo *memo = h2o_memo_of(sock);
    const char *why;
    int status;

    if (err) {
        memo->read(sock, err);
    } else if (memo->answered || sock->_cb.write) { /* a write during a read: libh2o's own 400, after which it closes */
        h2o_input_discard(sock);
    } else if ((status = h2o_input_check(memo, &why)) != 0) {
        memo->answered = true;
        h2o_input_discard(sock);
        memo->config->callbacks->malformed(memo->listener, h2o_socket_get_fd(sock),
                                           status == INPUT_NO_HTTP ? 0 : status, why);
    } else {
        memo->read(sock, NULL);
        if (h2o_memo_of(sock) && memo->head_done)
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

void h2o_engine_watch(struct engine_socket *socket)
{
    h2o_socket_t *sock = (h2o_socket_t *)(void *)socket;
    struct h2o_memo *memo = h2o_memo_of(sock);
    size_t len;

    if (!memo || !sock->_cb.read || sock->_cb.read == h2o_input_on_read || !h2o_input_is_http1(memo))
        return;
    memo->read = sock->_cb.read;
    memo->head_done = memo->chunked = false;
    len = request_head_length(sock->input->bytes, sock->input->size, 0);
    memo->partial = len && sock->input->size > len;
    memo->seen = 0;
    sock->_cb.read = h2o_input_on_read;
}

const char *h2o_input_error(const h2o_socket_t *sock)
{
    size_t len = request_head_length(sock->input->bytes, sock->input->size, 0);
    bool chunked;

    return len ? request_head_error(sock->input->bytes, len, &chunked) : NULL;
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
    h2o_input_discard(sock);
    answer = h2o_iovec_init(memo->answer, len);
    h2o_socket_write(sock, &answer, 1, h2o_input_on_answered);
    return true;
}
