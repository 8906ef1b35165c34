#include "test/fuzz/fuzz_server.h"

#include "core/base/log/log.h"
#include "test/fuzz/fuzz.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESCRIPTORS_MAX = 100 };

static uv_loop_t *the_loop;
static struct sockaddr_in address;

static struct {
    int fd;
    const char *data;
    size_t len;
    char head[16];
    size_t head_len;
    bool closed;
} client;

void fuzz_server_start(uv_loop_t *loop, const struct http_route *routes,
                       void (*dispatch)(void *context, const struct http_route *route, struct http_request *request))
{
    struct http_options options = {.loop = loop,
                                   .routes = routes,
                                   .dispatch = dispatch,
                                   .max_body = 1 << 20,
                                   .max_head = 64 << 10,
                                   .max_connections = 64,
                                   .max_connections_per_address = 64,
                                   .max_requests = 64,
                                   .max_resets = 1000,
                                   .max_streams = 8,
                                   .trust = http_trust_new("127.0.0.0/9", "", "https://app.example.org", NULL),
                                   .idle_timeout_ms = 5000,
                                   .response_timeout_ms = 5000,
                                   .shutdown_grace_ms = 1000};
    struct http_server *server = http_server_new(&options);
    struct error error = {0};

    log_setup(LOG_ERROR, false);
    the_loop = loop;
    fuzz_require(http_server_listen(server, "127.0.0.1:0", "KITH_API_LISTEN", NULL, &error) == 0);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    address.sin_port = htons((uint16_t)atoi(strrchr(http_server_address(server, 0), ':') + 1));
}

/* From changing addresses: one has too few ports for connections that were closed a moment ago. A descriptor's number
 * that grows without end is a leak. */
static void client_connect(void)
{
    static uint32_t serial;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK + (serial++ & 0xffff) + 1)}};
    int late = 1;

    client.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fuzz_require(client.fd >= 0 && client.fd < DESCRIPTORS_MAX);
    setsockopt(client.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
    fuzz_require(bind(client.fd, (struct sockaddr *)&from, sizeof from) == 0 &&
                 connect(client.fd, (struct sockaddr *)&address, sizeof address) == 0);
    fuzz_require(fcntl(client.fd, F_SETFL, O_NONBLOCK) == 0);
}

/* Sends what the socket takes; the end of the stream behind it. */
static void client_send(void)
{
    ssize_t n = send(client.fd, client.data, client.len, MSG_NOSIGNAL);

    if (n > 0) {
        client.data += n;
        client.len -= (size_t)n;
    }
    if (client.len == 0 || (n < 0 && errno != EAGAIN)) {
        client.len = 0;
        shutdown(client.fd, SHUT_WR);
    }
}

static void client_on_poll(uv_poll_t *poll, int status, int events)
{
    char bytes[4096];
    ssize_t n;

    (void)status;
    if (events & UV_WRITABLE) {
        client_send();
        if (client.len == 0)
            uv_poll_start(poll, UV_READABLE, client_on_poll);
    }
    while ((n = recv(client.fd, bytes, sizeof bytes, 0)) > 0) {
        size_t wanted = sizeof client.head - 1 - client.head_len, got = (size_t)n < wanted ? (size_t)n : wanted;

        memcpy(client.head + client.head_len, bytes, got);
        client.head_len += got;
    }
    if (n == 0 || errno != EAGAIN) {
        client.closed = true;
        uv_poll_stop(poll);
    }
}

static void client_on_close(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

int fuzz_server_exchange(const void *data, size_t len)
{
    uv_poll_t poll;
    bool closed = false;

    memset(&client, 0, sizeof client);
    client.data = data;
    client.len = len;
    client_connect();
    uv_poll_init(the_loop, &poll, client.fd);
    uv_poll_start(&poll, UV_READABLE | UV_WRITABLE, client_on_poll);
    while (!client.closed)
        uv_run(the_loop, UV_RUN_ONCE);
    poll.data = &closed;
    uv_close((uv_handle_t *)&poll, client_on_close);
    while (!closed)
        uv_run(the_loop, UV_RUN_NOWAIT);
    close(client.fd);
    return strncmp(client.head, "HTTP/1.", 7) == 0 ? atoi(client.head + 9) : 0;
}
