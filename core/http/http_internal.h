/* The types that the files of the HTTP server share. Loop thread only. */
#ifndef KITH_CORE_HTTP_HTTP_INTERNAL_H
#define KITH_CORE_HTTP_HTTP_INTERNAL_H

#include "core/base/log_rate.h"
#include "core/http/engine.h"
#include "core/http/http.h"
#include "core/http/trust.h"

#include <netinet/in.h>
#include <sys/types.h>
#include <uthash.h>

enum { LISTENERS_MAX = 4, PARTS_MAX = 3, PART_BYTES = 256, ID_BYTES = 40, WHO_BYTES = 64 };

struct peer {                /* connection count of one client address */
    struct in6_addr address; /* IPv4: IPv4-mapped */
    uint32_t connections;
    UT_hash_handle hh;
};

struct conn {
    uv_tcp_t tcp; /* first: libuv gives it back */
    struct http_server *server;
    struct conn *next, *prev;
    struct peer *peer;
    struct engine_socket *sock;
    struct http_request *requests; /* under way, linked by conn_next */
    uint64_t progress_ms;          /* time of the last progress */
    size_t read_before;            /* bytes read at the last tick */
    uint64_t second_ms;            /* the second that `resets` counts in */
    uint32_t resets;
    int fd;
    bool cut, stuck; /* stuck: waits for a write that was never made */
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
    uint64_t begun_ms, due_ms; /* due: when the answer must have left, 0 while it is not given */
    const struct http_stream_ops *stream_ops;
    void *stream_context;
    char *chunk; /* in flight */
    int status;
    char parts[PARTS_MAX][PART_BYTES];
    char id[ID_BYTES];
    char trace[HTTP_TRACE_BYTES];
    char who[WHO_BYTES]; /* the name of its API key */
    uint64_t key;        /* identifies the API key; 0: none */
};

struct listener {
    uv_tcp_t tcp;
    struct http_server *server;
    int index;
    const struct http_file *files;
    bool loopback, open;
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
struct conn *guard_conn_of(struct http_server *server, int fd);
void guard_accept(struct listener *listener);

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
