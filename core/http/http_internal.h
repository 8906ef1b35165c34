/* The types that the files of the HTTP server share. Loop thread only. */
#ifndef KITH_CORE_HTTP_HTTP_INTERNAL_H
#define KITH_CORE_HTTP_HTTP_INTERNAL_H

#include "core/base/cancel.h"
#include "core/base/log/log_rate.h"
#include "core/base/must.h"
#include "core/http/engine/engine.h"
#include "core/http/http.h"
#include "core/http/trust.h"

#include <netinet/in.h>
#include <sys/types.h>
#include <uthash.h>

enum { LISTENERS_MAX = 4, PARTS_MAX = 3, PART_BYTES = 256, ID_BYTES = 40, WHO_BYTES = 64 };

struct peer {                /* one client address */
    struct in6_addr address; /* IPv4: IPv4-mapped */
    uint32_t connections;
    size_t held; /* bytes of its connections, see budget.c */
    UT_hash_handle hh;
};

/* How a connection is read, see meter.c. */
struct meter {
    uv_alloc_cb alloc; /* the engine's */
    uv_read_cb read;   /* the engine's */
    uint64_t bytes;    /* read in all */
    bool paused;
    struct conn *next; /* in the prepare handle's list */
    bool listed;
};

/* The time over which a transfer must show the least rate. */
struct rate_window {
    uint64_t start_ms; /* 0: no transfer is under way */
    uint64_t bytes;    /* of the connection at the start */
};

/* What a connection holds of the memory budget, see budget.c. */
struct budget {
    size_t bodies, answers;
    uint64_t measured; /* meter.bytes at the last measure */
    uint32_t unfinished;
    bool stale;     /* to be measured before the loop waits */
    uint64_t order; /* of the beginning of its oldest unfinished body, or 0: none */
    bool http2;
    const char *refused; /* it was answered before the end of its request: why; NULL: it was not */
    uint64_t refused_ms;
    bool admitted; /* it has shown a valid API key, or needs none */
    struct rate_window upload, download;
};

struct conn {
    uv_tcp_t tcp; /* first: libuv gives it back */
    struct http_server *server;
    struct conn *next, *prev;
    struct peer *peer;
    struct engine_socket *sock;
    struct http_request *requests; /* under way, linked by conn_next */
    uint64_t progress_ms;          /* when it was accepted, or the last request or body ended */
    uint64_t second_ms;            /* the second that `resets` counts in */
    uint32_t resets;               /* cancelled requests, and those without a valid key */
    int fd;
    bool cut, stuck; /* stuck: waits for a write that was never made */
    struct meter meter;
    struct budget budget;
};

struct http_request {
    struct http_server *server;
    struct engine_request *raw; /* NULL once the engine has disposed of it */
    struct engine_head head;    /* valid while `raw` is set */
    struct conn *conn;
    struct http_request *conn_next, *conn_prev;
    const struct http_route *route;
    struct in6_addr client; /* its address, behind trusted proxies */
    bool secure;            /* see http_request_is_secure */
    uint32_t refs;
    bool answered, streaming, stream_ended, chunk_waits;
    bool left;                 /* the client closed its connection before the answer */
    uint64_t begun_ms, due_ms; /* due: when a chunk must have left, 0 while there is none */
    size_t answer_bytes;       /* of an answer that has not been sent */
    struct cancel *cancel;     /* see http_request_cancel */
    const struct http_stream_ops *stream_ops;
    void *stream_context;
    char *chunk; /* in flight */
    int status;
    char parts[PARTS_MAX][PART_BYTES];
    char id[ID_BYTES];
    char trace[HTTP_TRACE_BYTES];
    char who[WHO_BYTES]; /* the name of its API key */
    uint64_t key;        /* identifies the API key; 0: none */
    void *context;       /* the dispatcher's */
};

struct listener {
    uv_tcp_t tcp;
    struct http_server *server;
    int index;
    const struct http_file *files;
    bool loopback, open;
    bool waits; /* a client does, until the next turn */
    char address[80];
};

struct http_server {
    struct http_options o;
    const struct engine_ops *ops;
    struct engine *engine;
    struct listener listeners[LISTENERS_MAX];
    int listener_count;
    struct conn head; /* ring of connections */
    struct conn **by_fd;
    size_t by_fd_size;
    struct peer *peers;
    SSL_CTX *tls; /* NULL: without */
    uv_timer_t tick;
    uv_prepare_t prepare;
    struct conn *unwrapped; /* linked by meter.next */
    uint32_t paused;        /* connections */
    uint32_t accepts;       /* in this turn of the loop */
    size_t held;            /* bytes of all connections, see budget.c */
    uint64_t bodies_begun;
    uint32_t live; /* requests with a holder, abandoned ones included */
    struct http_stats stats;
    struct log_rate log_requests, log_cuts; /* of refused requests, of connections that were cut off */
    uint64_t serial, stop_ms;
    uint32_t boot;
    bool stopping;
    void (*stopped)(void *context);
    void *stopped_context;
};

/* guard.c */
void guard_start(struct http_server *server);
void guard_cut(struct conn *conn);
void guard_request_begins(struct conn *conn, struct http_request *request);
void guard_request_ends(struct http_request *request);
/* Whether the limits of one client address apply to a connection: not to a trusted proxy, which serves many clients. */
bool guard_address_is_limited(const struct conn *conn);
/* An address as http_request_address gives it. */
void guard_write_address(const struct in6_addr *address, char *text, size_t size);
void guard_cut_because(struct conn *conn, const char *why);
struct conn *guard_conn_of(struct http_server *server, int fd);
/* A client waits to be accepted: it is now, or in the next turn of the loop. */
void guard_on_waiting(struct listener *listener);
/* Before the loop waits for input: accepts those that were left to this turn. */
void guard_begin_turn(struct http_server *server);

/* meter.c: counts the bytes that a connection reads, and can pause the reading */
void meter_start(struct http_server *server);
void meter_add(struct conn *conn);
void meter_remove(struct conn *conn);
/* Visits the connection before the loop waits for input. */
void meter_list(struct conn *conn);
void meter_pause(struct conn *conn);
void meter_resume(struct conn *conn);

/* budget.c: the memory of request bodies and of unsent answers */
void budget_on_read(struct conn *conn);
/* A request has begun or ended. Called by the engine, whose structs may be in the middle of a change. */
void budget_update(struct conn *conn);
void budget_measure_now(struct conn *conn);
/* Measures the connection if it is stale. */
void budget_refresh(struct conn *conn);
/* Lets paused connections read on when there is room. */
void budget_resume(struct http_server *server);
bool budget_answer_fits(const struct http_request *request, size_t len);
void budget_take_answer(struct http_request *request, size_t len);
/* The request is disposed of. */
void budget_release_answer(struct http_request *request);
/* Cuts the connection when a transfer is too slow. */
void budget_check_rates(struct conn *conn, uint64_t now_ms);
void budget_remove(struct conn *conn);

/* early.c: HTTP/1 answers before the end of the request */
void early_refuse_head(struct conn *conn, int status, const char *why);
/* Whether one of the unfinished requests of a connection shows a valid API key. If not, it is answered (HTTP/1). */
bool early_admit(struct conn *conn);

/* Checks all query parameters against the route; sends a 400 and returns false for unknown ones, so that a misspelled
 * filter does not disable the filter. */
bool query_fits(struct http_request *request);

/* route.c */
const struct http_route *route_find(const struct http_route *routes, const char *method, size_t method_len,
                                    const char *path, size_t path_len, struct http_request *request);
/* The methods of a path for the header Allow: "GET, HEAD, DELETE"; "" when there is no such path. */
void route_methods(const struct http_route *routes, const char *path, size_t len, char *text, size_t size);
bool files_serve(const struct http_file *files, struct http_request *request);

/* header.c: checks the headers that kith reads; sends a 431 or 400 and returns false when one is too long or repeated.
 */
bool header_fits(struct http_request *request);

/* All lines of a header joined with `separator`. Returns the length, of which at most size - 1 bytes are copied; -1:
 * absent. */
ssize_t header_join(const struct http_request *request, const char *name, const char *separator, char *value,
                    size_t size);

/* The same for any source of headers. `get`: the value of the n-th line of a header. */
typedef struct engine_text (*header_get_fn)(const void *context, const char *name, size_t n);
ssize_t header_join_lines(header_get_fn get, const void *context, const char *name, const char *separator, char *value,
                          size_t size);
/* The limit of a header of the table. */
size_t header_max(const char *name);
#define HEADER_TOO_LONG "The header “%s” has %zd bytes; the limit is %zu."
enum { HEADER_COOKIE_MAX = 8191 }; /* the largest limit of the table */

/* reply.c */
const char *reply_reason(int status);

/* origin.c: finds the client and stores its address in the request; false: answered with 400 or 431. */
bool origin_find_client(struct http_request *request, struct trust_client *client);
/* Whether a browser sent the request for another site. Adds the CORS headers for an origin of KITH_CORS_ORIGINS. */
bool origin_is_foreign(const struct listener *listener, struct http_request *request,
                       const struct trust_client *client);
/* Answers a CORS preflight request; false when it is none. `methods`: of the path. */
bool origin_answer_preflight(struct http_request *request, const char *methods);

/* request.c: sends a 405 with the header Allow, or a 404 when no method is allowed. */
void request_refuse_method(struct http_request *request, const char *allow);
/* request.c: what the engine calls */
extern const struct engine_callbacks request_callbacks;

#endif
