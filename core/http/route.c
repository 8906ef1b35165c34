/* Route lookup: the route table and the embedded files. */
#include "core/http/http_internal.h"

#include "core/base/hash.h"

#include <stdio.h>
#include <string.h>

/* Matches part by part; fills the parts in braces. */
static bool route_matches(const char *pattern, const char *path, size_t len, struct http_request *request)
{
    const char *end = path + len;
    int part = 0;

    while (*pattern && path < end) {
        size_t n;

        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        for (n = 0; path + n < end && path[n] != '/'; n++)
            ;
        if (n == 0 || n >= PART_BYTES || part == PARTS_MAX)
            return false;
        memcpy(request->parts[part], path, n);
        request->parts[part++][n] = 0;
        path += n;
        pattern += strcspn(pattern, "}") + 1;
    }
    return *pattern == 0 && path == end;
}

const struct http_route *route_find(const struct http_route *routes, const char *method, size_t method_len,
                                    const char *path, size_t path_len, struct http_request *request)
{
    bool head = method_len == 4 && memcmp(method, "HEAD", 4) == 0;

    for (; routes->method; routes++) {
        if (!route_matches(routes->pattern, path, path_len, request))
            continue;
        if (strlen(routes->method) == method_len && memcmp(routes->method, method, method_len) == 0)
            return routes;
        if (head && strcmp(routes->method, "GET") == 0)
            return routes; /* http_reply leaves the body out */
    }
    return NULL;
}

void route_methods(const struct http_route *routes, const char *path, size_t len, char *text, size_t size)
{
    struct http_request unused;
    size_t n = 0;

    text[0] = 0;
    for (; routes->method; routes++)
        if (route_matches(routes->pattern, path, len, &unused))
            n += (size_t)snprintf(text + n, size - n, "%s%s%s", n ? ", " : "", routes->method,
                                  strcmp(routes->method, "GET") == 0 ? ", HEAD" : "");
}

bool files_serve(const struct http_file *files, struct http_request *request)
{
    const char *path = request->head.target.base;
    size_t len = request->head.path_len;

    for (; files && files->path; files++) {
        const struct engine_text *method = &request->head.method;
        char hex[SHA256_HEX_BYTES], etag[24];

        if (strlen(files->path) != len || memcmp(files->path, path, len) != 0)
            continue;
        if ((method->len != 3 || memcmp(method->base, "GET", 3) != 0) &&
            (method->len != 4 || memcmp(method->base, "HEAD", 4) != 0)) {
            request_refuse_method(request, "GET, HEAD");
            return true;
        }
        sha256_hex(files->data, files->len, hex);
        snprintf(etag, sizeof etag, "\"%.16s\"", hex);
        http_add_header(request, "cache-control", "no-cache");
        http_add_header(request, "content-security-policy",
                        "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'");
        if (!http_not_modified(request, etag))
            http_reply(request, 200, files->content_type, files->data, files->len);
        return true;
    }
    return false;
}
