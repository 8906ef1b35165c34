/* Query parameters: checks names against the route, decodes values. */
#include "core/http/http_internal.h"

#include <string.h>

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static bool decode(const char *text, size_t len, char *value, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%' && i + 2 < len && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
            c = (char)(hex_value(text[i + 1]) * 16 | hex_value(text[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (c == 0)
            return false;
        if (n + 1 == size)
            break;
        value[n++] = c;
    }
    value[n] = 0;
    return true;
}

bool http_request_query(const struct http_request *request, const char *name, char *value, size_t size)
{
    const struct engine_head *head = &request->head;
    const char *at, *end;
    size_t n = strlen(name);

    if (!request->raw || head->path_len == head->target.len)
        return false;
    end = head->target.base + head->target.len;
    for (at = head->target.base + head->path_len + 1; at < end;) {
        const char *amp = memchr(at, '&', (size_t)(end - at));
        const char *stop = amp ? amp : end;

        if ((size_t)(stop - at) > n && memcmp(at, name, n) == 0 && at[n] == '=')
            return decode(at + n + 1, (size_t)(stop - at) - n - 1, value, size);
        at = stop + 1;
    }
    return false;
}

/* Whether `words`, separated by spaces, contains `name`. */
static bool is_among(const char *words, const char *name, size_t len)
{
    for (const char *at = words; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");

        if (n == len && memcmp(at, name, n) == 0)
            return true;
        at += n;
    }
    return false;
}

bool query_fits(struct http_request *request)
{
    const struct engine_head *head = &request->head;
    const char *words = request->route->query, *end = head->target.base + head->target.len;

    if (!words || head->path_len == head->target.len)
        return true;
    for (const char *at = head->target.base + head->path_len + 1; at < end;) {
        const char *amp = memchr(at, '&', (size_t)(end - at));
        size_t len = (size_t)((amp ? amp : end) - at);
        const char *equals = memchr(at, '=', len);
        size_t name_len = equals ? (size_t)(equals - at) : len;
        char value[HTTP_QUERY_MAX];

        if (len && !is_among(words, at, name_len)) {
            http_problem(request, 400, "unknown-parameter", "“%.*s” is not a parameter of this path; it takes: %s.",
                         (int)(name_len < 64 ? name_len : 64), at, *words ? words : "none");
            return false;
        }
        if (equals &&
            (len - name_len > HTTP_QUERY_MAX || !decode(equals + 1, len - name_len - 1, value, sizeof value))) {
            http_problem(request, 400, "bad-parameter", "The value of “%.*s” is longer than %d bytes or holds a NUL.",
                         (int)name_len, at, HTTP_QUERY_MAX);
            return false;
        }
        at += len + 1;
    }
    return true;
}
