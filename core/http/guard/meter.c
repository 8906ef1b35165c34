/* Counts what a connection reads.
 *
 * The engine reads with libuv. libh2o keeps only the size of the last read, so the meter replaces libuv's read callback
 * of the connection by its own, which counts and calls the engine's. The engine sets its callback again when it starts
 * reading, so a prepare handle replaces it before the loop next waits for input. A connection is in the prepare
 * handle's list from the moment its callback is not the meter's, and when it must be measured.
 *
 * A paused connection is not read: the client is slowed down by TCP.
 */
#include "core/http/http_internal.h"

void meter_list(struct conn *conn)
{
    if (conn->meter.listed)
        return;
    conn->meter.listed = true;
    conn->meter.next = conn->server->unwrapped;
    conn->server->unwrapped = conn;
}

static void meter_on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    struct conn *conn = (struct conn *)stream;

    if (nread > 0)
        conn->meter.bytes += (uint64_t)nread;
    conn->meter.read(stream, nread, buf);
    if (conn->tcp.read_cb != meter_on_read)
        meter_list(conn);
    if (!uv_is_closing((uv_handle_t *)&conn->tcp))
        budget_on_read(conn);
}

/* Replaces the callback of a connection that is read. Returns false when it is not read now. The engine may begin with
 * a request whose bytes have been read already; the messages that this sends are handled before the loop waits, because
 * this handle was started after that of the actors and runs before it. */
static bool meter_wrap(struct conn *conn)
{
    if (!conn->tcp.read_cb || uv_is_closing((uv_handle_t *)&conn->tcp))
        return false;
    if (conn->tcp.read_cb != meter_on_read) {
        conn->meter.alloc = conn->tcp.alloc_cb;
        conn->meter.read = conn->tcp.read_cb;
        conn->tcp.read_cb = meter_on_read;
    }
    conn->server->ops->watch(conn->sock);
    return conn->tcp.read_cb == meter_on_read || uv_is_closing((uv_handle_t *)&conn->tcp);
}

static void meter_on_prepare(uv_prepare_t *prepare)
{
    struct http_server *server = prepare->data;
    struct conn **at = &server->unwrapped;

    guard_begin_turn(server);
    while (*at) {
        struct conn *conn = *at;

        budget_refresh(conn);
        if (meter_wrap(conn) || uv_is_closing((uv_handle_t *)&conn->tcp)) {
            *at = conn->meter.next;
            conn->meter.listed = false;
        } else {
            at = &conn->meter.next;
        }
    }
    budget_resume(server);
}

void meter_start(struct http_server *server)
{
    uv_prepare_init(server->o.loop, &server->prepare);
    server->prepare.data = server;
    uv_prepare_start(&server->prepare, meter_on_prepare);
    uv_unref((uv_handle_t *)&server->prepare);
}

void meter_add(struct conn *conn)
{
    if (!meter_wrap(conn))
        meter_list(conn);
}

void meter_remove(struct conn *conn)
{
    struct conn **at = &conn->server->unwrapped;

    if (conn->meter.paused)
        conn->server->paused--;
    if (!conn->meter.listed)
        return;
    while (*at != conn)
        at = &(*at)->meter.next;
    *at = conn->meter.next;
}

void meter_pause(struct conn *conn)
{
    if (conn->meter.paused || conn->tcp.read_cb != meter_on_read)
        return;
    uv_read_stop((uv_stream_t *)&conn->tcp);
    conn->meter.paused = true;
    conn->server->paused++;
}

void meter_resume(struct conn *conn)
{
    if (!conn->meter.paused)
        return;
    conn->meter.paused = false;
    conn->server->paused--;
    if (!uv_is_closing((uv_handle_t *)&conn->tcp) && !conn->tcp.read_cb)
        uv_read_start((uv_stream_t *)&conn->tcp, conn->meter.alloc, meter_on_read);
}
