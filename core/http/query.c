/* Query parameters: checks names against the route, decodes values. */
#include "core/http/http_internal.h"

#include "core/base/text.h"

#include <assert.h>
#include <string.h>

static int query_hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* False: the text has a NUL, an incomplete escape, or does not fit. */
static bool query_decode(const char *text, size_t len, char *value, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%') {
            if (i + 2 >= len || query_hex_value(text[i + 1]) < 0 || query_hex_value(text[i + 2]) < 0)
                return false;
            c = (char)(query_hex_value(text[i + 1]) * 16 | query_hex_value(text[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (c == 0 || n + 1 == size)
            return false;
        value[n++] = c;
    }
    value[n] = 0;
    return true;
}

struct query_parameter {
    const char *name, *value;
    size_t name_len, value_len;
};

/* The parameter at `*at`, which moves behind it; false at the end. */
static bool query_next(const struct engine_head *head, const char **at, struct query_parameter *p)
{
    const char *end = head->target.base + head->target.len, *amp, *equals;
    size_t len;

    if (*at >= end)
        return false;
    amp = memchr(*at, '&', (size_t)(end - *at));
    len = (size_t)((amp ? amp : end) - *at);
    equals = memchr(*at, '=', len);
    p->name = *at;
    p->name_len = equals ? (size_t)(equals - *at) : len;
    p->value = equals ? equals + 1 : *at + len;
    p->value_len = equals ? len - p->name_len - 1 : 0;
    *at += len + 1;
    return true;
}

static const char *query_begin(const struct engine_head *head)
{
    return head->target.base + head->path_len + (head->path_len < head->target.len ? 1 : 0);
}

static bool query_is_named(const struct query_parameter *p, const char *name, size_t len)
{
    return p->name_len == len && memcmp(p->name, name, len) == 0;
}

bool http_request_query(const struct http_request *request, const char *name, char *value, size_t size)
{
    struct query_parameter p;
    const char *at;

    assert(size >= HTTP_QUERY_MAX);
    if (!request->raw)
        return false;
    at = query_begin(&request->head);
    while (query_next(&request->head, &at, &p))
        if (query_is_named(&p, name, strlen(name)))
            return query_decode(p.value, p.value_len, value, size);
    return false;
}

/* Whether `words`, separated by spaces, contains `name`. */
static bool query_is_among(const char *words, const char *name, size_t len)
{
    for (const char *at = words; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");

        if (n == len && memcmp(at, name, n) == 0)
            return true;
        at += n;
    }
    return false;
}

static bool query_is_repeated(const struct engine_head *head, const struct query_parameter *p)
{
    struct query_parameter other;
    const char *at = query_begin(head);
    int count = 0;

    while (query_next(head, &at, &other))
        count += query_is_named(&other, p->name, p->name_len);
    return count > 1;
}

bool query_fits(struct http_request *request)
{
    const struct engine_head *head = &request->head;
    const char *words = request->route->query, *at = query_begin(head);
    struct query_parameter p;

    while (words && query_next(head, &at, &p)) {
        int shown = (int)(p.name_len < 64 ? p.name_len : 64);
        char value[HTTP_QUERY_MAX];

        if (p.name_len == 0 && p.value_len == 0 && p.value == p.name)
            continue; /* “&&” */
        if (!query_is_among(words, p.name, p.name_len)) {
            http_problem(request, 400, "unknown-parameter", "“%.*s” is not a parameter of this path; it takes: %s.",
                         shown, p.name, *words ? words : "none");
            return false;
        }
        if (query_is_repeated(head, &p)) {
            http_problem(request, 400, "repeated-parameter", "“%.*s” is given more than once.", shown, p.name);
            return false;
        }
        if (!query_decode(p.value, p.value_len, value, sizeof value) || !text_is_utf8(value)) {
            http_problem(request, 400, "bad-parameter",
                         "The value of “%.*s” has %d bytes or more, a NUL, an incomplete escape, or is not UTF-8.",
                         shown, p.name, HTTP_QUERY_MAX);
            return false;
        }
    }
    return true;
}
