/* Which proxies and origins are trusted, and who the client is behind trusted proxies. Pure functions over texts, for
 * the tests; trust.c reads the settings, forwarded.c the headers. Internal to core/http. */
#ifndef KITH_CORE_HTTP_TRUST_H
#define KITH_CORE_HTTP_TRUST_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct http_trust;

enum { HTTP_ORIGIN_MAX = 511 };   /* bytes of an origin or a host */
enum { TRUST_HEADER_MAX = 2047 }; /* bytes of each of the headers below, all its lines together */

/* Parses "192.0.2.7", "2001:db8::7" or "[2001:db8::7]:443", with an optional port. IPv4 becomes IPv4-mapped IPv6. */
bool trust_parse_address(const char *text, size_t len, struct in6_addr *address);
bool trust_is_proxy(const struct http_trust *trust, const struct in6_addr *address);
bool trust_is_cors_origin(const struct http_trust *trust, const char *origin);
bool trust_has_cors(const struct http_trust *trust);
/* The origin of KITH_PUBLIC_URL, "https://kith.example.org"; "" when it is not set. */
const char *trust_public_origin(const struct http_trust *trust);

struct trust_headers { /* NULL: absent; lines are joined with commas */
    const char *x_for, *x_proto, *x_host, *forwarded;
};

struct trust_client {
    struct in6_addr address;
    bool https;                     /* the client's connection is encrypted, as the proxy reports it */
    char host[HTTP_ORIGIN_MAX + 1]; /* as the client sent it; "": not reported */
};

/* Fills `client` from what the proxies report: from the nearest to the farthest, up to the first address that is not a
 * trusted proxy. Without a trusted `peer` the headers are ignored. Returns false when the headers contradict each other
 * or are malformed; then `why` is set. */
bool trust_find_client(const struct http_trust *trust, const struct in6_addr *peer, const struct trust_headers *headers,
                       struct trust_client *client, const char **why);

#endif
