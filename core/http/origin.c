/* Where a request comes from: the client's address behind proxies, and whether a page of another site sent it. */
#include "core/http/http_internal.h"
#include "core/http/trust.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CORS_HEADERS "authorization, content-type, idempotency-key, last-event-id, traceparent, x-api-key, x-request-id"

static bool origin_method_is(const struct http_request *request, const char *method)
{
    return request->head.method.len == strlen(method) &&
           memcmp(request->head.method.base, method, request->head.method.len) == 0;
}

/* Reads one of the headers that a proxy sends into `text`; `*found` is NULL when it is absent. */
static bool origin_read(struct http_request *request, const char *name, char text[TRUST_HEADER_MAX + 1],
                        const char **found)
{
    ssize_t len = header_join(request, name, ",", text, TRUST_HEADER_MAX + 1);

    *found = len < 0 ? NULL : text;
    if (len <= TRUST_HEADER_MAX)
        return true;
    http_problem(request, 431, "header-too-long", "The header “%s” has %zd bytes; the limit is %d.", name, len,
                 TRUST_HEADER_MAX);
    return false;
}

bool origin_find_client(struct http_request *request, struct trust_client *client)
{
    const struct http_trust *trust = request->server->o.trust;
    char texts[4][TRUST_HEADER_MAX + 1];
    struct trust_headers headers = {0};
    const char *why;

    if (trust_is_proxy(trust, &request->client) &&
        (!origin_read(request, "x-forwarded-for", texts[0], &headers.x_for) ||
         !origin_read(request, "x-forwarded-proto", texts[1], &headers.x_proto) ||
         !origin_read(request, "x-forwarded-host", texts[2], &headers.x_host) ||
         !origin_read(request, "forwarded", texts[3], &headers.forwarded)))
        return false;
    if (!trust_find_client(trust, &request->client, &headers, client, &why)) {
        http_problem(request, 400, "bad-forwarded", "%s", why);
        return false;
    }
    request->client = client->address;
    request->secure = request->server->tls || client->https || strncmp(trust_public_origin(trust), "https://", 8) == 0;
    return true;
}

/* --- cross-site requests --- */

static bool origin_is_name_of_this_machine(const char *host)
{
    size_t n = strcspn(host, "]");

    if (host[0] == '[')
        return host[n] == ']';
    n = strcspn(host, ":");
    return (n == 9 && strncasecmp(host, "localhost", 9) == 0) || strspn(host, "0123456789.") == n;
}

/* Whether an origin has this host. An origin leaves the default port out, a Host may have it. */
static bool origin_has_host(const char *origin, const char *host)
{
    const char *own = strstr(origin, "://"), *port = strncmp(origin, "https:", 6) == 0 ? ":443" : ":80";
    size_t len = strlen(host);

    if (!own || !len)
        return false;
    if (len > strlen(port) && strcmp(host + len - strlen(port), port) == 0 && !strchr(own + 3, ':'))
        len -= strlen(port);
    return strlen(own + 3) == len && strncasecmp(own + 3, host, len) == 0;
}

/* A request without Origin, by the fetch metadata of the browser: it may come from the same site or from the user, and
 * a link of another site may lead here. Anything else, such as an image tag or a form of another site, may not. */
static bool origin_fetch_is_foreign(const struct http_request *request)
{
    char site[32], mode[32];

    if (!http_request_header(request, "sec-fetch-site", site, sizeof site) || strcmp(site, "same-origin") == 0 ||
        strcmp(site, "none") == 0)
        return false;
    return (!origin_method_is(request, "GET") && !origin_method_is(request, "HEAD")) ||
           !http_request_header(request, "sec-fetch-mode", mode, sizeof mode) || strcmp(mode, "navigate") != 0;
}

/* On loopback the Host must name this machine (DNS rebinding), whatever a header of a proxy says: a page that reached
 * loopback by rebinding can send such headers. */
static bool origin_host_is_foreign(const struct listener *listener, const struct http_request *request)
{
    char host[HTTP_ORIGIN_MAX + 1];

    snprintf(host, sizeof host, "%.*s", (int)request->head.authority.len, request->head.authority.base);
    return listener->loopback && !origin_is_name_of_this_machine(host) &&
           !origin_has_host(trust_public_origin(request->server->o.trust), host);
}

bool origin_is_foreign(const struct listener *listener, struct http_request *request, const struct trust_client *client)
{
    const struct http_trust *trust = request->server->o.trust;
    char origin[HTTP_ORIGIN_MAX + 1], host[HTTP_ORIGIN_MAX + 1];

    if (trust_has_cors(trust))
        http_add_header(request, "vary", "origin");
    if (origin_host_is_foreign(listener, request))
        return true;
    if (!http_request_header(request, "origin", origin, sizeof origin))
        return origin_fetch_is_foreign(request);
    if (trust_is_cors_origin(trust, origin)) {
        http_add_header(request, "access-control-allow-origin", origin);
        http_add_header(request, "access-control-expose-headers", "etag, retry-after, x-request-id");
        return false;
    }
    snprintf(host, sizeof host, "%.*s", (int)request->head.authority.len, request->head.authority.base);
    return !origin_has_host(origin, client->host[0] ? client->host : host) &&
           (!trust_public_origin(trust)[0] || strcasecmp(origin, trust_public_origin(trust)) != 0);
}

bool origin_answer_preflight(struct http_request *request, const char *methods)
{
    char text[HTTP_ORIGIN_MAX + 1];

    if (!methods[0] || !origin_method_is(request, "OPTIONS") ||
        !http_request_header(request, "access-control-request-method", text, sizeof text) ||
        !http_request_header(request, "origin", text, sizeof text) ||
        !trust_is_cors_origin(request->server->o.trust, text))
        return false;
    http_add_header(request, "access-control-allow-methods", methods);
    http_add_header(request, "access-control-allow-headers", CORS_HEADERS);
    http_add_header(request, "access-control-max-age", "600");
    http_reply(request, 204, NULL, NULL, 0);
    return true;
}
