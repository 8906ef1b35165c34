/* A client that posts paths over one HTTP/2 connection, every request another path, so many streams at once.
 *
 *   load_accept PORT FIRST COUNT STREAMS
 *
 * posts {"path":"load/N.jpg"} to /image/post for N from FIRST on and prints as JSON how many were accepted a second and
 * how long one took. Anything but a 2xx is an error: the figure is of accepted images only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct post {
    char body[64];
    size_t length;
    int64_t begun_ns;
};

static struct load {
    nghttp2_session *session;
    long next, last, under_way, accepted, refused;
    int64_t *took_ns;
    char authority[32];
} load;

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "load_accept: %s: %s\n", what, strerror(errno));
    exit(1);
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *context)
{
    const struct post *post = source->ptr;

    (void)session, (void)id, (void)context;
    if (room < post->length)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    memcpy(to, post->body, post->length);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)post->length;
}

#define HEADER(n, v)                                                                                                   \
    {                                                                                                                  \
        (uint8_t *)(n), (uint8_t *)(v), sizeof(n) - 1, strlen(v), NGHTTP2_NV_FLAG_NONE                                 \
    }

static void post_next(void)
{
    nghttp2_nv headers[] = {HEADER(":method", "POST"), HEADER(":scheme", "http"), HEADER(":path", "/image/post"),
                            HEADER(":authority", load.authority), HEADER("content-type", "application/json")};
    struct post *post = calloc(1, sizeof *post);
    nghttp2_data_provider body = {.source.ptr = post, .read_callback = read_body};

    if (!post)
        abort();
    post->length = (size_t)snprintf(post->body, sizeof post->body, "{\"path\":\"load/%ld.jpg\"}", load.next++);
    post->begun_ns = now_ns();
    if (nghttp2_submit_request(load.session, NULL, headers, 5, &body, post) < 0)
        die("submit");
    load.under_way++;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                     const uint8_t *value, size_t value_length, uint8_t flags, void *context)
{
    (void)session, (void)frame, (void)flags, (void)context, (void)value_length;
    if (name_length == 7 && memcmp(name, ":status", 7) == 0 && value[0] != '2')
        load.refused++;
    return 0;
}

static int on_end(nghttp2_session *session, int32_t id, uint32_t error, void *context)
{
    struct post *post = nghttp2_session_get_stream_user_data(session, id);

    (void)context;
    if (error)
        load.refused++;
    load.took_ns[load.accepted++] = now_ns() - post->begun_ns;
    load.under_way--;
    free(post);
    if (load.next < load.last)
        post_next();
    return 0;
}

static int connect_to(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_what_waits(int fd)
{
    static uint8_t out[1 << 18];
    size_t n = 0;
    const uint8_t *data;
    ssize_t length;

    while ((length = nghttp2_session_mem_send(load.session, &data)) > 0) {
        if (n + (size_t)length > sizeof out)
            die("too much to send at once");
        memcpy(out + n, data, (size_t)length);
        n += (size_t)length;
    }
    for (size_t sent = 0; sent < n;) {
        ssize_t wrote = write(fd, out + sent, n - sent);

        if (wrote <= 0)
            die("write");
        sent += (size_t)wrote;
    }
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void run(int fd, long streams)
{
    static uint8_t in[1 << 16];

    nghttp2_submit_settings(load.session, NGHTTP2_FLAG_NONE, NULL, 0);
    for (long i = 0; i < streams && load.next < load.last; i++)
        post_next();
    while (load.under_way) {
        ssize_t n;

        send_what_waits(fd);
        n = read(fd, in, sizeof in);
        if (n <= 0)
            die("the server closed the connection");
        if (nghttp2_session_mem_recv(load.session, in, (size_t)n) < 0)
            die("not HTTP/2");
    }
}

int main(int argc, char **argv)
{
    nghttp2_session_callbacks *callbacks;
    int64_t begun, took, half, most;
    long count;

    if (argc != 5) {
        fprintf(stderr, "usage: load_accept PORT FIRST COUNT STREAMS\n");
        return 2;
    }
    count = atol(argv[3]);
    load.next = atol(argv[2]);
    load.last = load.next + count;
    load.took_ns = calloc((size_t)count, sizeof *load.took_ns);
    snprintf(load.authority, sizeof load.authority, "127.0.0.1:%s", argv[1]);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_end);
    nghttp2_session_client_new(&load.session, callbacks, NULL);
    begun = now_ns();
    run(connect_to(atoi(argv[1])), atol(argv[4]));
    took = now_ns() - begun;
    qsort(load.took_ns, (size_t)count, sizeof *load.took_ns, by_time);
    half = load.took_ns[count / 2];
    most = load.took_ns[count * 99 / 100];
    printf("{\"accepted\": %ld, \"refused\": %ld, \"per_s\": %.0f, \"p50_ms\": %.2f, \"p99_ms\": %.2f}\n",
           load.accepted - load.refused, load.refused, (double)load.accepted * 1e9 / (double)took, (double)half / 1e6,
           (double)most / 1e6);
    return load.refused ? 1 : 0;
}
