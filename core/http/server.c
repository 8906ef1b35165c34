/* The server: its engine, listeners, addresses. */
#include "core/http/http_internal.h"

#include "core/base/must.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void server_make_engine(struct http_server *server)
{
    void *listeners[LISTENERS_MAX];
    const struct engine_options options = {.loop = server->o.loop,
                                           .callbacks = &request_callbacks,
                                           .listeners = listeners,
                                           .listener_count = LISTENERS_MAX,
                                           .max_body = server->o.max_body,
                                           .max_head = server->o.max_head,
                                           .shutdown_grace_ms = server->o.shutdown_grace_ms};

    for (int i = 0; i < LISTENERS_MAX; i++) {
        server->listeners[i].server = server;
        server->listeners[i].index = i;
        listeners[i] = &server->listeners[i];
    }
    server->engine = server->ops->engine_new(&options);
}

struct http_server *http_server_new(const struct http_options *options)
{
    struct http_server *server = calloc(1, sizeof *server);

    if (!server)
        out_of_memory();
    server->o = *options;
    server->log_requests = (struct log_rate){.event = "request", .per_second = options->log_refused};
    server->log_cuts = (struct log_rate){.event = "connection cut off", .per_second = options->log_refused};
    if (getrandom(&server->boot, sizeof server->boot, 0) != sizeof server->boot)
        must_end("no random numbers");
    server->ops = &engine_h2o;
    server_make_engine(server);
    guard_start(server);
    return server;
}

/* Splits "host:port" and resolves numeric hosts and names. */
static int server_resolve(const char *address, struct sockaddr_storage *sa, struct error *error)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
    size_t n = colon ? (size_t)(colon - address) : 0;
    int status;

    if (!colon || n >= sizeof host || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        atoi(colon + 1) > 65535)
        return error_set(error, -EINVAL, "“%s” is not an address like 127.0.0.1:8000", address);
    memcpy(host, address, n);
    host[n] = 0;
    if (host[0] == '[' && n > 2 && host[n - 1] == ']') {
        memmove(host, host + 1, n - 2);
        host[n - 2] = 0;
    }
    status = getaddrinfo(host[0] ? host : "0.0.0.0", colon + 1, &hints, &found);
    if (status)
        return error_set(error, -EINVAL, "“%s”: %s", address, gai_strerror(status));
    memcpy(sa, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return 0;
}

static bool server_is_loopback(const struct sockaddr_storage *sa)
{
    if (sa->ss_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr) >> 24) == 127;
    return sa->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)sa)->sin6_addr);
}

bool http_address_is_loopback(const char *address)
{
    struct sockaddr_storage sa = {0};

    return server_resolve(address, &sa, NULL) == 0 && server_is_loopback(&sa);
}

static void server_write_address(struct listener *listener)
{
    struct sockaddr_storage sa;
    int len = sizeof sa;
    char host[64];

    uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&sa, &len);
    if (sa.ss_family == AF_INET6) {
        uv_ip6_name((struct sockaddr_in6 *)&sa, host, sizeof host);
        snprintf(listener->address, sizeof listener->address, "[%s]:%d", host,
                 ntohs(((struct sockaddr_in6 *)&sa)->sin6_port));
    } else {
        uv_ip4_name((struct sockaddr_in *)&sa, host, sizeof host);
        snprintf(listener->address, sizeof listener->address, "%s:%d", host,
                 ntohs(((struct sockaddr_in *)&sa)->sin_port));
    }
}

static void server_on_connection(uv_stream_t *stream, int status)
{
    if (status == 0)
        guard_on_waiting((struct listener *)stream);
}

int http_server_listen(struct http_server *server, const char *address, const char *setting,
                       const struct http_file *files, struct error *error)
{
    struct listener *l = &server->listeners[server->listener_count];
    struct sockaddr_storage sa = {0};
    struct error why;
    int status;

    if (server->listener_count == LISTENERS_MAX)
        return error_set(error, -E2BIG, "%s: more than %d listeners", setting, LISTENERS_MAX);
    if (server_resolve(address, &sa, &why) < 0)
        return error_set(error, -EINVAL, "%s: %.300s", setting, why.text);
    l->files = files;
    l->loopback = server_is_loopback(&sa);
    uv_tcp_init(server->o.loop, &l->tcp);
    l->open = true;
    server->listener_count++;
    status = uv_tcp_bind(&l->tcp, (struct sockaddr *)&sa, 0);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&l->tcp, 1024, server_on_connection);
    if (status < 0)
        return error_set(error, status, "%s: cannot listen on %s: %s", setting, address, uv_strerror(status));
    server_write_address(l);
    return 0;
}

const char *http_server_address(const struct http_server *server, int n)
{
    return n < server->listener_count ? server->listeners[n].address : NULL;
}

struct http_stats http_server_stats(const struct http_server *server)
{
    struct http_stats stats = server->stats;

    stats.held = server->held;
    stats.paused = server->paused;
    return stats;
}
