/* Request headers: the names that kith reads, with their limits.
 *
 * A header that is too long or ambiguous must not be treated as absent: a CSRF check, a key or an Idempotency-Key would
 * be skipped. So all of them are checked when the request arrives, and a header that is not in the table cannot be
 * read. The headers of proxies (Forwarded, X-Forwarded-*) may come in several lines; origin.c reads them.
 */
#include "core/http/http_internal.h"

#include <assert.h>
#include <string.h>
#include <sys/types.h>

enum header_rule {
    HEADER_SINGLE, /* longer than the limit: 431; repeated: 400 */
    HEADER_LIST,   /* longer than the limit: 431; may be repeated, the first is read */
    HEADER_COOKIE, /* longer than the limit: 431; HTTP/2 clients send it in pieces, which are joined with “; ” */
    HEADER_HINT    /* longer than the limit: ignored, since nothing depends on it */
};

static const struct header_limit {
    const char *name;
    size_t max; /* bytes */
    enum header_rule rule;
} header_limits[] = {
    {"access-control-request-method", 31, HEADER_SINGLE},
    {"authorization", 7 + 256, HEADER_SINGLE}, /* “Bearer ” and a key */
    {"content-disposition", 1024, HEADER_SINGLE},
    {"content-encoding", 63, HEADER_SINGLE},
    {"content-type", 255, HEADER_SINGLE},
    {"cookie", HEADER_COOKIE_MAX, HEADER_COOKIE},
    {"idempotency-key", 255, HEADER_SINGLE},
    {"if-none-match", 511, HEADER_LIST},
    {"last-event-id", 31, HEADER_SINGLE},
    {"origin", HTTP_ORIGIN_MAX, HEADER_SINGLE},
    {"sec-fetch-mode", 31, HEADER_SINGLE},
    {"sec-fetch-site", 31, HEADER_SINGLE},
    {"traceparent", 127, HEADER_HINT},
    {"x-api-key", 256, HEADER_SINGLE},
    {"x-request-id", ID_BYTES - 1, HEADER_HINT},
};

enum { HEADER_COUNT = sizeof header_limits / sizeof header_limits[0] };

static struct engine_text header_raw(const void *context, const char *name, size_t n)
{
    const struct http_request *request = context;

    return request->server->ops->header(request->raw, name, n);
}

ssize_t header_join_lines(header_get_fn get, const void *context, const char *name, const char *separator, char *value,
                          size_t size)
{
    struct engine_text found = get(context, name, 0);
    size_t len = 0;

    if (!found.base)
        return -1;
    value[0] = 0;
    for (size_t n = 1; found.base; found = get(context, name, n++)) {
        size_t gap = n > 1 ? strlen(separator) : 0;

        if (len + gap + found.len < size) {
            memcpy(value + len, separator, gap);
            memcpy(value + len + gap, found.base, found.len);
            value[len + gap + found.len] = 0;
        }
        len += gap + found.len;
    }
    return (ssize_t)len;
}

ssize_t header_join(const struct http_request *request, const char *name, const char *separator, char *value,
                    size_t size)
{
    return header_join_lines(header_raw, request, name, separator, value, size);
}

static const struct header_limit *header_find(const char *name)
{
    size_t i = 0;

    while (i < HEADER_COUNT && (header_limits[i].name[0] != name[0] || strcmp(header_limits[i].name, name) != 0))
        i++;
    assert(i < HEADER_COUNT);
    return &header_limits[i];
}

size_t header_max(const char *name)
{
    return header_find(name)->max;
}

/* As header_join, by the rule of the header. */
static ssize_t header_copy(const struct http_request *request, const struct header_limit *h, char *value, size_t size)
{
    struct engine_text found;

    if (h->rule == HEADER_COOKIE)
        return header_join(request, h->name, "; ", value, size);
    found = header_raw(request, h->name, 0);
    if (!found.base)
        return -1;
    memcpy(value, found.base, found.len < size ? found.len : 0);
    value[found.len < size ? found.len : 0] = 0;
    return (ssize_t)found.len;
}

static bool header_is_good(struct http_request *request, const struct header_limit *h)
{
    char value[HEADER_COOKIE_MAX + 1];
    ssize_t len = h->rule == HEADER_HINT ? -1 : header_copy(request, h, value, sizeof value);

    if (len < 0)
        return true;
    if ((size_t)len > h->max) {
        http_problem(request, 431, "header-too-long", HEADER_TOO_LONG, h->name, len, h->max);
        return false;
    }
    if (h->rule == HEADER_SINGLE && header_raw(request, h->name, 1).base) {
        http_problem(request, 400, "repeated-header", "The header “%s” is given more than once.", h->name);
        return false;
    }
    if (strlen(value) < (size_t)len) {
        http_problem(request, 400, "bad-header", "The header “%s” has a NUL.", h->name);
        return false;
    }
    return true;
}

bool header_fits(struct http_request *request)
{
    if (request->head.authority.len > HTTP_ORIGIN_MAX) {
        http_problem(request, 431, "header-too-long", "The header “host” has %zu bytes; the limit is %d.",
                     request->head.authority.len, HTTP_ORIGIN_MAX);
        return false;
    }
    for (size_t i = 0; i < HEADER_COUNT; i++)
        if (!header_is_good(request, &header_limits[i]))
            return false;
    return true;
}

bool http_request_header(const struct http_request *request, const char *name, char *value, size_t size)
{
    const struct header_limit *limit = header_find(name);
    ssize_t len;

    assert(size > limit->max);
    if (!request->raw)
        return false;
    len = header_copy(request, limit, value, size);
    return len >= 0 && (size_t)len <= limit->max;
}
