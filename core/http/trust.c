/* The settings of trust: proxies, the public URL, CORS origins. */
#include "core/http/trust.h"

#include "core/base/must.h"
#include "core/http/http_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAPPED_BITS = 96 }; /* an IPv4 address is the last 32 bits of an IPv4-mapped one */

struct trust_range {
    struct in6_addr base;
    unsigned bits;
};

struct http_trust {
    struct trust_range *ranges;
    size_t range_count;
    char **origins; /* of CORS */
    size_t origin_count;
    char public_origin[HTTP_ORIGIN_MAX + 1];
};

/* "[::1]", "[::1]:80", "::1", "192.0.2.7", "192.0.2.7:80": the address without brackets and port. */
static bool trust_strip_port(const char *text, size_t len, char *host, size_t size)
{
    const char *colon = memchr(text, ':', len);

    if (len && text[0] == '[') {
        const char *end = memchr(text, ']', len);

        if (!end || (end + 1 < text + len && end[1] != ':'))
            return false;
        len = (size_t)(end - text) - 1;
        text++;
    } else if (colon && !memchr(colon + 1, ':', len - (size_t)(colon + 1 - text))) {
        len = (size_t)(colon - text); /* one colon: a port */
    }
    if (len >= size)
        return false;
    memcpy(host, text, len);
    host[len] = 0;
    return true;
}

bool trust_parse_address(const char *text, size_t len, struct in6_addr *address)
{
    char host[INET6_ADDRSTRLEN];
    struct in_addr v4;

    if (!trust_strip_port(text, len, host, sizeof host))
        return false;
    if (inet_pton(AF_INET6, host, address) == 1)
        return true;
    if (inet_pton(AF_INET, host, &v4) != 1)
        return false;
    memset(address, 0, sizeof *address);
    memset(address->s6_addr + 10, 0xff, 2);
    memcpy(address->s6_addr + 12, &v4, sizeof v4);
    return true;
}

static bool trust_range_contains(const struct trust_range *range, const struct in6_addr *address)
{
    size_t bytes = range->bits / 8;
    unsigned rest = range->bits % 8;

    return memcmp(range->base.s6_addr, address->s6_addr, bytes) == 0 &&
           (rest == 0 || ((range->base.s6_addr[bytes] ^ address->s6_addr[bytes]) >> (8 - rest)) == 0);
}

bool trust_is_proxy(const struct http_trust *trust, const struct in6_addr *address)
{
    for (size_t i = 0; trust && i < trust->range_count; i++)
        if (trust_range_contains(&trust->ranges[i], address))
            return true;
    return false;
}

bool trust_is_cors_origin(const struct http_trust *trust, const char *origin)
{
    for (size_t i = 0; trust && i < trust->origin_count; i++)
        if (strcasecmp(trust->origins[i], origin) == 0)
            return true;
    return false;
}

bool trust_has_cors(const struct http_trust *trust)
{
    return trust && trust->origin_count > 0;
}

const char *trust_public_origin(const struct http_trust *trust)
{
    return trust ? trust->public_origin : "";
}

/* --- the settings --- */

static bool trust_parse_range(const char *text, struct trust_range *range)
{
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    char host[INET6_ADDRSTRLEN], *end;
    bool v6 = memchr(text, ':', len) != NULL;
    unsigned long bits;

    if (len >= sizeof host)
        return false;
    memcpy(host, text, len);
    host[len] = 0;
    if (v6 ? inet_pton(AF_INET6, host, &range->base) != 1 : !trust_parse_address(host, len, &range->base))
        return false;
    range->bits = 128;
    if (!slash)
        return true;
    bits = strtoul(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end || bits > (v6 ? 128 : 32))
        return false;
    range->bits = (unsigned)bits + (v6 ? 0 : MAPPED_BITS);
    return true;
}

/* Copies "scheme://host[:port]" in lower case. A slash at the end is dropped. */
static bool trust_parse_origin(const char *text, char origin[HTTP_ORIGIN_MAX + 1])
{
    size_t scheme = strncasecmp(text, "https://", 8) == 0 ? 8 : strncasecmp(text, "http://", 7) == 0 ? 7 : 0;
    size_t len = strlen(text);

    if (len && text[len - 1] == '/')
        len--;
    if (!scheme || len <= scheme || len > HTTP_ORIGIN_MAX ||
        strspn(text + scheme, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._[]:") != len - scheme)
        return false;
    for (size_t i = 0; i < len; i++)
        origin[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    origin[len] = 0;
    return true;
}

static int trust_add_range(struct http_trust *trust, const char *text, struct error *error)
{
    struct trust_range range;

    if (!trust_parse_range(text, &range))
        return error_set(error, -EINVAL,
                         "KITH_TRUSTED_PROXIES: “%.100s” is not an address or a network like 10.0.0.0/8", text);
    trust->ranges = realloc(trust->ranges, (trust->range_count + 1) * sizeof *trust->ranges);
    if (!trust->ranges)
        out_of_memory();
    trust->ranges[trust->range_count++] = range;
    return 0;
}

static int trust_add_origin(struct http_trust *trust, const char *text, struct error *error)
{
    char origin[HTTP_ORIGIN_MAX + 1];

    if (!trust_parse_origin(text, origin))
        return error_set(error, -EINVAL, "KITH_CORS_ORIGINS: “%.100s” is not an origin like https://app.example.org",
                         text);
    trust->origins = realloc(trust->origins, (trust->origin_count + 1) * sizeof *trust->origins);
    if (!trust->origins || !(trust->origins[trust->origin_count] = strdup(origin)))
        out_of_memory();
    trust->origin_count++;
    return 0;
}

/* Calls `add` for each text of a list that is separated by commas or spaces. */
static int trust_each(struct http_trust *trust, const char *list,
                      int (*add)(struct http_trust *trust, const char *text, struct error *error), struct error *error)
{
    char *copy = strdup(list), *save = NULL;
    int status = 0;

    if (!copy)
        out_of_memory();
    for (char *at = strtok_r(copy, ", ", &save); at && status == 0; at = strtok_r(NULL, ", ", &save))
        status = add(trust, at, error);
    free(copy);
    return status;
}

struct http_trust *http_trust_new(const char *proxies, const char *public_url, const char *cors_origins,
                                  struct error *error)
{
    struct http_trust *trust = calloc(1, sizeof *trust);
    int status;

    if (!trust)
        out_of_memory();
    status = trust_each(trust, proxies, trust_add_range, error);
    if (status == 0)
        status = trust_each(trust, cors_origins, trust_add_origin, error);
    if (status == 0 && public_url[0] && !trust_parse_origin(public_url, trust->public_origin))
        status = error_set(error, -EINVAL,
                           "KITH_PUBLIC_URL: “%.100s” is not a URL like https://kith.example.org, "
                           "without a path",
                           public_url);
    if (status == 0)
        return trust;
    http_trust_free(trust);
    return NULL;
}

void http_trust_free(struct http_trust *trust)
{
    if (!trust)
        return;
    for (size_t i = 0; i < trust->origin_count; i++)
        free(trust->origins[i]);
    free(trust->origins);
    free(trust->ranges);
    free(trust);
}
