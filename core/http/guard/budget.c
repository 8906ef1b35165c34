/* The memory that clients can make the server hold: bodies that arrive, and answers that are not read.
 *
 * One budget covers all connections, a smaller one the connections of one client address. Above a budget, the oldest
 * unfinished body goes on and the others wait: an HTTP/1 connection is paused; on an HTTP/2 connection the newest
 * bodies are discarded while they arrive, and their requests get 503. A transfer must show the least rate, so the
 * oldest body ends or is cut, and the next goes on. An answer that does not fit is replaced by a 503.
 *
 * With API keys in force, a connection that has shown no valid key may send small bodies only.
 */
#include "core/http/http_internal.h"

#include "core/base/clock.h"
#include "core/http/guard/tcp_info.h"

enum {
    MEASURE_BYTES = 16384, /* read between two measures */
    RESUME_AT_ONCE = 8,    /* connections, so that the budget is not overshot by all of them */
    LINGER_MS = 2000,      /* for the client to read an early answer */
    SMALL_ANSWER = 65536   /* bytes that are always sent: problem documents, one page of a list */
};

static bool budget_is_over(const struct conn *conn)
{
    const struct http_options *o = &conn->server->o;

    return conn->server->held > o->memory || (conn->peer->held > o->address_memory && guard_address_is_limited(conn));
}

/* The server reads on for the one whose body began first, so that some body always ends. */
static bool budget_is_oldest(const struct conn *conn)
{
    const struct http_server *server = conn->server;
    bool all = server->held > server->o.memory;

    for (const struct conn *c = server->head.next; c != &server->head; c = c->next)
        if (c != conn && c->budget.order && c->budget.order < conn->budget.order && !c->cut &&
            (all || c->peer == conn->peer))
            return false;
    return true;
}

static void budget_set_bodies(struct conn *conn, size_t bytes)
{
    conn->server->held += bytes - conn->budget.bodies;
    conn->peer->held += bytes - conn->budget.bodies;
    conn->budget.bodies = bytes;
}

static bool budget_request_is_open(const struct conn *conn)
{
    for (const struct http_request *r = conn->requests; r; r = r->conn_next)
        if (r->head.version == 1)
            return true;
    return false;
}

void budget_measure_now(struct conn *conn)
{
    struct budget *b = &conn->budget;
    struct engine_held held = conn->server->ops->measure(conn->sock);
    uint64_t now_ms = clock_monotonic_ms();

    b->measured = conn->meter.bytes;
    b->http2 = held.http2;
    budget_set_bodies(conn, held.bytes);
    /* HTTP/1 keeps the input of a request until it is answered. */
    b->unfinished = budget_request_is_open(conn) ? 0 : held.unfinished;
    if (b->unfinished && !b->order) {
        b->order = ++conn->server->bodies_begun;
        b->upload = (struct rate_window){now_ms, conn->meter.bytes};
    } else if (!b->unfinished && b->order) {
        b->order = b->upload.start_ms = 0;
        conn->progress_ms = now_ms;
    }
}

/* HTTP/2 bodies are discarded, and each request gets its 401 at its end. HTTP/1 was answered. */
static void budget_refuse_unknown(struct conn *conn)
{
    bool discarded = false;

    while (conn->server->ops->discard_newest(conn->sock, 0))
        discarded = true;
    if (discarded || conn->budget.refused)
        budget_measure_now(conn);
}

static void budget_enforce(struct conn *conn)
{
    const struct engine_ops *ops = conn->server->ops;
    const struct http_options *o = &conn->server->o;

    if (o->admits && !conn->budget.admitted && conn->budget.unfinished && conn->budget.bodies > o->unknown_body) {
        conn->budget.admitted = early_admit(conn);
        if (!conn->budget.admitted) {
            budget_refuse_unknown(conn);
            return;
        }
    }
    if (!conn->budget.unfinished)
        return;
    while (budget_is_over(conn) && ops->discard_newest(conn->sock, 1))
        budget_measure_now(conn);
    if (budget_is_over(conn) && !budget_is_oldest(conn))
        meter_pause(conn);
}

void budget_on_read(struct conn *conn)
{
    if (conn->cut || conn->budget.refused || conn->meter.bytes - conn->budget.measured < MEASURE_BYTES)
        return;
    budget_measure_now(conn);
    budget_enforce(conn);
}

void budget_update(struct conn *conn)
{
    conn->budget.stale = true;
    meter_list(conn);
}

void budget_refresh(struct conn *conn)
{
    if (!conn->budget.stale)
        return;
    conn->budget.stale = false;
    if (!conn->cut && conn->sock && !uv_is_closing((uv_handle_t *)&conn->tcp))
        budget_measure_now(conn);
}

void budget_resume(struct http_server *server)
{
    int resumed = 0;

    while (server->paused && resumed < RESUME_AT_ONCE) {
        struct conn *oldest = NULL;

        for (struct conn *c = server->head.next; c != &server->head; c = c->next)
            if (c->meter.paused && !c->budget.refused && (!oldest || c->budget.order < oldest->budget.order) &&
                (!budget_is_over(c) || budget_is_oldest(c)))
                oldest = c;
        if (!oldest)
            return;
        oldest->budget.upload = (struct rate_window){clock_monotonic_ms(), oldest->meter.bytes};
        meter_resume(oldest);
        resumed++;
    }
}

bool budget_answer_fits(const struct http_request *request, size_t len)
{
    const struct conn *conn = request->conn;

    return !conn || len <= SMALL_ANSWER ||
           (conn->server->held + len <= conn->server->o.memory &&
            (conn->peer->held + len <= conn->server->o.address_memory || !guard_address_is_limited(conn)));
}

void budget_take_answer(struct http_request *request, size_t len)
{
    struct conn *conn = request->conn;

    if (!conn)
        return;
    request->answer_bytes = len;
    conn->budget.answers += len;
    conn->server->held += len;
    conn->peer->held += len;
}

void budget_release_answer(struct http_request *request)
{
    struct conn *conn = request->conn;

    if (!conn)
        return;
    conn->budget.answers -= request->answer_bytes;
    conn->server->held -= request->answer_bytes;
    conn->peer->held -= request->answer_bytes;
    request->answer_bytes = 0;
}

void budget_remove(struct conn *conn)
{
    budget_set_bodies(conn, 0);
}

/* --- rates --- */

/* Whether a transfer moved less than the least rate over the window that ends now. */
static bool budget_is_slow(struct rate_window *w, uint64_t bytes, uint64_t now_ms, const struct http_options *o)
{
    uint64_t least = o->min_rate * o->idle_timeout_ms / 1000;

    if (now_ms - w->start_ms < o->idle_timeout_ms)
        return false;
    if (bytes - w->bytes < least)
        return true;
    *w = (struct rate_window){now_ms, bytes};
    return false;
}

void budget_check_rates(struct conn *conn, uint64_t now_ms)
{
    const struct http_options *o = &conn->server->o;
    struct budget *b = &conn->budget;
    bool unsent = false;

    if (b->refused) {
        if (now_ms - b->refused_ms >= LINGER_MS)
            guard_cut_because(conn, b->refused);
        return;
    }
    if (conn->meter.bytes != b->measured) {
        budget_measure_now(conn);
        budget_enforce(conn);
    }
    if (b->order && !conn->meter.paused && budget_is_slow(&b->upload, conn->meter.bytes, now_ms, o)) {
        guard_cut_because(conn, "slow upload");
        return;
    }
    for (const struct http_request *r = conn->requests; r && !unsent; r = r->conn_next)
        unsent = r->answered && !r->streaming;
    if (!unsent) {
        b->download.start_ms = 0;
    } else if (!b->download.start_ms) {
        b->download = (struct rate_window){now_ms, tcp_info_bytes_acknowledged(conn->fd)};
    } else if (now_ms - b->download.start_ms >= o->idle_timeout_ms &&
               budget_is_slow(&b->download, tcp_info_bytes_acknowledged(conn->fd), now_ms, o)) {
        guard_cut_because(conn, "slow download");
    }
}
