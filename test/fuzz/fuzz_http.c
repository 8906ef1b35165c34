/* Bytes of a client, as they come from the network: request lines, headers, queries and bodies of HTTP/1.1 and HTTP/2.
 * The routes are those of the program; each dispatched request is read by every function of http.h and of
 * actors/api/request.h that parses something. */
#include "actors/api/page.h"
#include "actors/api/request.h"
#include "actors/routes.h"
#include "test/fuzz/fuzz.h"
#include "test/fuzz/fuzz_server.h"

static uv_loop_t loop;

/* Whether one of the readers has answered: then the request gets no other answer. */
static bool fuzz_read_query(struct http_request *request)
{
    char value[HTTP_QUERY_MAX];
    bool flag = false, explain;
    int limit;
    int64_t after, number = 1;

    if (http_request_query(request, "name", value, sizeof value))
        fuzz_require(strlen(value) < sizeof value);
    http_request_query(request, "reason", value, sizeof value);
    if (!query_bool(request, "dry_run", &flag) || !query_explain(request, &explain) ||
        !query_number(request, "width", 16, 4096, &number) || !query_page(request, 500, &limit, &after))
        return true;
    fuzz_require(limit >= 1 && limit <= 500 && after >= 0 && number <= 4096);
    return false;
}

static void fuzz_read_headers(struct http_request *request)
{
    static const char *const names[] = {"content-type", "authorization", "cookie", "idempotency-key", "if-none-match"};
    char value[8192]; /* above the largest limit of a header */

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (http_request_header(request, names[i], value, sizeof value))
            fuzz_require(strlen(value) < sizeof value);
    http_request_address(request, value, sizeof value);
    http_add_header(request, "x-fuzz", http_request_part(request, 0));
    fuzz_require(strlen(http_request_id(request)) > 0);
}

static void fuzz_read_body(struct http_request *request)
{
    json_t *object;
    const char *text;
    size_t len;

    if (body_is_image(request)) {
        http_reply(request, 200, "text/plain", "image", 5);
    } else if ((object = body_object(request))) {
        if ((text = body_text(request, object, "name", 100, &len))) {
            fuzz_require(len >= 1 && len <= 100 && strlen(text) == len);
            http_reply(request, 200, "text/plain", text, len);
        }
        json_decref(object);
    }
}

static void fuzz_dispatch(void *context, const struct http_route *route, struct http_request *request)
{
    int64_t number;

    (void)context;
    fuzz_read_headers(request);
    if (strcmp(route->method, "POST") == 0 || strcmp(route->method, "PATCH") == 0) {
        fuzz_read_body(request);
    } else if (!fuzz_read_query(request)) {
        if (!strchr(route->pattern, '{') || part_number(request, 0, &number))
            if (!http_not_modified(request, "\"fuzz\""))
                http_reply(request, 200, "text/plain", "ok", 2);
    }
    http_request_unref(request);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    uv_loop_init(&loop);
    fuzz_server_start(&loop, routes, fuzz_dispatch);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_server_exchange(data, size);
    return 0;
}
