/* The guard accepts connections, tracks each of them, and closes those that violate a limit.
 *
 * libh2o 2.2.5 has no write timeout on HTTP/2, no body timeout, and no defence against rapid resets (CVE-2023-44487).
 * The guard observes the same from outside the engine: bytes read (meter.c), memory held and rates (budget.c), requests
 * begun and disposed of. It closes a connection with shutdown(2); the engine then releases its own state. What the
 * engine still parses of a closed connection's input is not dispatched.
 */
#include "core/http/http_internal.h"

#include "core/base/clock.h"
#include "core/base/log/log.h"
#include "core/base/must.h"
#include "core/http/guard/tcp_info.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    TICK_MS = 1000,
    ROOM_MAX = 256,       /* connections that are cut and not closed yet */
    ACCEPTS_AT_ONCE = 32, /* in one turn of the loop: libuv would accept until no client waits */
    UNSENT_BYTES = 131072 /* that a write copies to the kernel before the client's window has space for them */
};

static void guard_close(struct conn *conn)
{
    conn->cut = true;
    shutdown(conn->fd, SHUT_RDWR);
    meter_resume(conn); /* the engine learns of the end by reading */
}

void guard_cut(struct conn *conn)
{
    if (conn->cut)
        return;
    conn->server->stats.cut_off++;
    guard_close(conn);
}

void guard_cut_because(struct conn *conn, const char *why)
{
    if (conn->cut)
        return;
    if (log_rate_permits(&conn->server->log_cuts, clock_monotonic_ms()))
        log_event(LOG_INFO, "connection cut off", LOG_STR("why", why), LOG_INT("fd", conn->fd));
    guard_cut(conn);
}

static struct in6_addr guard_map_ipv4(const struct in_addr *v4)
{
    struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

    memcpy(mapped.s6_addr + 12, v4, sizeof *v4);
    return mapped;
}

static struct peer *guard_peer_of(struct http_server *server, const uv_tcp_t *tcp)
{
    struct sockaddr_storage sa;
    struct in6_addr key = {0};
    struct peer *peer;
    int len = sizeof sa;

    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&sa, &len) == 0) {
        if (sa.ss_family == AF_INET6)
            key = ((struct sockaddr_in6 *)&sa)->sin6_addr;
        else if (sa.ss_family == AF_INET)
            key = guard_map_ipv4(&((struct sockaddr_in *)&sa)->sin_addr);
    }
    HASH_FIND(hh, server->peers, &key, sizeof key, peer);
    if (!peer) {
        peer = calloc(1, sizeof *peer);
        if (!peer)
            out_of_memory();
        peer->address = key;
        HASH_ADD(hh, server->peers, address, sizeof key, peer);
    }
    peer->connections++;
    return peer;
}

static void guard_on_closed(uv_handle_t *handle)
{
    struct conn *conn = (struct conn *)handle;
    struct http_server *server = conn->server;

    if (conn->next) {
        conn->next->prev = conn->prev;
        conn->prev->next = conn->next;
        server->stats.connections--;
        if ((size_t)conn->fd < server->by_fd_size && server->by_fd[conn->fd] == conn)
            server->by_fd[conn->fd] = NULL;
    }
    if (conn->sock) {
        meter_remove(conn);
        budget_remove(conn);
    }
    if (conn->peer && --conn->peer->connections == 0) {
        HASH_DEL(server->peers, conn->peer);
        free(conn->peer);
    }
    free(conn);
}

static void guard_remember(struct http_server *server, struct conn *conn)
{
    size_t fd = (size_t)conn->fd;

    if (fd >= server->by_fd_size) {
        size_t size = server->by_fd_size ? server->by_fd_size : 256;

        while (size <= fd)
            size *= 2;
        server->by_fd = realloc(server->by_fd, size * sizeof(struct conn *));
        if (!server->by_fd)
            out_of_memory();
        memset(server->by_fd + server->by_fd_size, 0, (size - server->by_fd_size) * sizeof(struct conn *));
        server->by_fd_size = size;
    }
    server->by_fd[fd] = conn;
    conn->next = server->head.next;
    conn->prev = &server->head;
    conn->next->prev = conn->prev->next = conn;
    server->stats.connections++;
    server->stats.accepted++;
}

/* While many addresses are connected this costs as much as a search for a connection, else far less. */
static bool guard_has_peer_with(const struct http_server *server, uint32_t connections_min)
{
    for (const struct peer *peer = server->peers; peer; peer = peer->hh.next)
        if (peer->connections >= connections_min)
            return true;
    return false;
}

/* Of the address with the most connections: the oldest without a request, or whose request has not arrived. */
static struct conn *guard_find_spare(struct http_server *server, uint32_t connections_min, bool idle)
{
    struct conn *spare = NULL;

    for (struct conn *c = server->head.next; c != &server->head; c = c->next)
        if (c->peer->connections >= connections_min && !c->requests && !c->cut && !(idle && c->budget.order) &&
            guard_address_is_limited(c) && (!spare || c->peer->connections >= spare->peer->connections))
            spare = c; /* the oldest stands last */
    return spare;
}

/* Makes room when all connections are taken: cuts one of an address that has at least twice as many as the new
 * client's. One that sends a request is cut only when there is no idle one, and its address has more than an eighth of
 * all. Returns false when there is none. */
static bool guard_make_room(struct http_server *server, const struct peer *newcomer)
{
    uint32_t least = newcomer->connections * 2, eighth = server->o.max_connections / 8 + 1;
    struct conn *spare;

    if (!guard_has_peer_with(server, least))
        return false;
    do { /* a measure tells whether a part of a request has arrived */
        spare = guard_find_spare(server, least, true);
        if (spare)
            budget_measure_now(spare);
    } while (spare && spare->budget.order);
    if (!spare)
        spare = guard_find_spare(server, least > eighth ? least : eighth, false);
    if (!spare)
        return false;
    guard_cut_because(spare, "room for another address");
    return true;
}

static void guard_accept(struct listener *listener)
{
    struct http_server *server = listener->server;
    struct conn *conn = calloc(1, sizeof *conn);

    if (!conn)
        out_of_memory();
    conn->server = server;
    uv_tcp_init(server->o.loop, &conn->tcp);
    if (uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)&conn->tcp) < 0)
        goto refuse;
    conn->peer = guard_peer_of(server, &conn->tcp);
    if (server->stopping ||
        (server->stats.connections >= server->o.max_connections && !guard_make_room(server, conn->peer)) ||
        server->stats.connections >= server->o.max_connections + ROOM_MAX ||
        (conn->peer->connections > server->o.max_connections_per_address && guard_address_is_limited(conn)) ||
        uv_fileno((uv_handle_t *)&conn->tcp, &conn->fd) < 0)
        goto refuse;
    conn->progress_ms = conn->second_ms = clock_monotonic_ms();
    guard_remember(server, conn);
    uv_tcp_nodelay(&conn->tcp, 1);
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &(int){UNSENT_BYTES}, sizeof(int));
    conn->sock = server->ops->accept(server->engine, listener->index, &conn->tcp, guard_on_closed);
    meter_add(conn);
    return;
refuse:
    server->stats.refused++;
    uv_close((uv_handle_t *)&conn->tcp, guard_on_closed);
}

/* libuv accepts no other client of the listener before this one was. */
void guard_on_waiting(struct listener *listener)
{
    struct http_server *server = listener->server;

    if (server->accepts == ACCEPTS_AT_ONCE) {
        listener->waits = true;
    } else {
        server->accepts++;
        guard_accept(listener);
    }
}

void guard_begin_turn(struct http_server *server)
{
    server->accepts = 0;
    for (int i = 0; i < server->listener_count; i++) {
        struct listener *listener = &server->listeners[i];

        if (listener->waits && !uv_is_closing((uv_handle_t *)&listener->tcp))
            guard_on_waiting(listener);
        listener->waits = false;
    }
}

bool guard_address_is_limited(const struct conn *conn)
{
    return !trust_is_proxy(conn->server->o.trust, &conn->peer->address);
}

void guard_write_address(const struct in6_addr *address, char *text, size_t size)
{
    struct in6_addr a = *address;

    if (IN6_IS_ADDR_V4MAPPED(&a)) {
        inet_ntop(AF_INET, a.s6_addr + 12, text, (socklen_t)size);
        return;
    }
    memset(a.s6_addr + 8, 0, 8);
    inet_ntop(AF_INET6, &a, text, (socklen_t)size);
}

struct conn *guard_conn_of(struct http_server *server, int fd)
{
    return fd >= 0 && (size_t)fd < server->by_fd_size ? server->by_fd[fd] : NULL;
}

void guard_request_begins(struct conn *conn, struct http_request *request)
{
    request->conn = conn;
    conn->server->stats.requests++;
    request->conn_next = conn->requests;
    if (conn->requests)
        conn->requests->conn_prev = request;
    conn->requests = request;
}

/* The engine has disposed of the request: the reply was sent, the client reset the stream, or the connection closes. */
/* A request of HTTP/2 that is answered before its reset arrives. A proxy's connection carries requests of others. */
static bool guard_is_without_key(const struct http_request *request)
{
    return (request->status == 401 || request->status == 429) && request->head.version == 2 &&
           guard_address_is_limited(request->conn);
}

void guard_request_ends(struct http_request *request)
{
    struct conn *conn = request->conn;
    const bool without_key = guard_is_without_key(request);
    uint64_t now_ms = clock_monotonic_ms();

    conn->server->stats.requests--;
    if (request->conn_prev)
        request->conn_prev->conn_next = request->conn_next;
    else
        conn->requests = request->conn_next;
    if (request->conn_next)
        request->conn_next->conn_prev = request->conn_prev;
    budget_release_answer(request);
    request->conn = NULL;
    conn->progress_ms = now_ms;
    if (conn->budget.bodies || conn->budget.order)
        budget_update(conn);
    if (request->answered && !request->streaming && !without_key)
        return;
    if (now_ms - conn->second_ms > 1000) {
        conn->second_ms = now_ms;
        conn->resets = 0;
    }
    if (++conn->resets > conn->server->o.max_resets)
        guard_cut_because(conn, without_key ? "requests without a key" : "resets");
}

/* When a client resets a TLS connection, libuv rejects the close_notify that libh2o writes. libh2o ignores the error
 * and waits for the write callback forever. A second close ends the wait, as for any write in progress. At that point
 * libh2o holds only the socket of the connection. */
static bool guard_is_stuck(const struct conn *conn)
{
    const uv_stream_t *stream = (const uv_stream_t *)&conn->tcp;

    return conn->server->ops->waits_for_write(conn->sock) && !conn->requests && !uv_is_writable(stream) &&
           uv_stream_get_write_queue_size(stream) == 0 && !uv_is_closing((const uv_handle_t *)&conn->tcp);
}

/* The engine does not read an HTTP/1 connection while a request is under way, so it does not notice that the client has
 * left. The work for the request is dropped wherever it waits. A client that only closes its sending side is taken to
 * have left, too. */
static void guard_hang_up(struct conn *conn)
{
    struct http_request *r, *next;

    for (r = conn->requests; r; r = next) {
        next = r->conn_next;
        if (r->streaming && !r->chunk_waits) {
            http_stream_end(r);
        } else if (!r->answered) {
            r->left = true;
            cancel_set(r->cancel);
            http_problem(r, 400, "client-left", "The connection was closed before the answer.");
            guard_close(conn);
        }
    }
}

static void guard_check(struct conn *conn, uint64_t now_ms)
{
    const struct http_options *o = &conn->server->o;
    bool stuck = guard_is_stuck(conn);

    if (stuck && conn->stuck) {
        conn->server->ops->close(conn->sock);
        return;
    }
    conn->stuck = stuck;
    if (conn->requests && !conn->cut && !conn->tcp.read_cb && tcp_info_peer_has_closed(conn->fd))
        guard_hang_up(conn);
    for (const struct http_request *r = conn->requests; r; r = r->conn_next) {
        if (r->due_ms && now_ms > r->due_ms) {
            guard_cut_because(conn, "unread");
            return;
        }
    }
    if (conn->cut)
        return;
    budget_check_rates(conn, now_ms);
    if (conn->requests || conn->budget.order) /* the client waits for a reply, or sends a request */
        return;
    if (now_ms - conn->progress_ms > o->idle_timeout_ms)
        guard_cut_because(conn, "idle");
    else if (conn->server->stopping && now_ms - conn->progress_ms > 500)
        guard_cut(conn); /* keep-alive connection without a request */
}

static void guard_finish_stop(struct http_server *server)
{
    void (*stopped)(void *) = server->stopped;

    server->stopped = NULL;
    uv_timer_stop(&server->tick);
    if (stopped)
        stopped(server->stopped_context);
}

static void guard_on_tick(uv_timer_t *timer)
{
    struct http_server *server = timer->data;
    uint64_t now_ms = clock_monotonic_ms();

    for (struct conn *c = server->head.next; c != &server->head; c = c->next)
        guard_check(c, now_ms);
    log_rate_report(&server->log_requests, now_ms);
    log_rate_report(&server->log_cuts, now_ms);
    if (!server->stopping)
        return;
    if (now_ms > server->stop_ms)
        for (struct conn *c = server->head.next; c != &server->head; c = c->next)
            guard_cut(c);
    if (server->stats.connections == 0 || now_ms > server->stop_ms + 1000)
        guard_finish_stop(server);
}

void guard_start(struct http_server *server)
{
    server->head.next = server->head.prev = &server->head;
    meter_start(server);
    uv_timer_init(server->o.loop, &server->tick);
    server->tick.data = server;
    uv_timer_start(&server->tick, guard_on_tick, TICK_MS, TICK_MS);
}

static void guard_on_listener_closed(uv_handle_t *handle)
{
    (void)handle;
}

void http_server_stop_now(struct http_server *server, void (*done)(void *context), void *context)
{
    if (!server->stopping)
        http_server_stop(server, done, context);
    server->stopped = done;
    server->stopped_context = context;
    server->stop_ms = clock_monotonic_ms();
}

void http_server_stop(struct http_server *server, void (*done)(void *context), void *context)
{
    struct conn *next;

    server->stopping = true;
    server->stopped = done;
    server->stopped_context = context;
    server->stop_ms = clock_monotonic_ms() + server->o.shutdown_grace_ms;
    for (int i = 0; i < server->listener_count; i++)
        if (server->listeners[i].open)
            uv_close((uv_handle_t *)&server->listeners[i].tcp, guard_on_listener_closed);
    if (server->engine) /* it is made with the first listener */
        server->ops->shutdown(server->engine);
    for (struct conn *c = server->head.next; c != &server->head; c = next) {
        struct http_request *r, *after;

        next = c->next;
        if (!c->requests)
            guard_cut(c);
        for (r = c->requests; r; r = after) { /* streams do not end by themselves */
            after = r->conn_next;
            if (r->streaming)
                http_stream_end(r);
        }
    }
    uv_timer_start(&server->tick, guard_on_tick, 50, 50);
}
