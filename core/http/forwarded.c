/* The client behind trusted proxies: X-Forwarded-For, -Proto, -Host, and Forwarded (RFC 7239).
 *
 * Each proxy appends the address that it was connected from. So the lists are read from the right: an entry counts only
 * while everything to its right is a trusted proxy. What a client writes into them itself stands further left.
 */
#include "core/http/trust.h"

#include <string.h>
#include <strings.h>

enum { HOPS_MAX = 32 }; /* entries that are read, from the right */

struct forwarded_text {
    const char *at;
    size_t len;
};

struct forwarded_list { /* the last entries, the nearest proxy's first */
    struct forwarded_text entries[HOPS_MAX];
    int count;
};

static struct forwarded_text forwarded_trim(const char *at, size_t len)
{
    while (len && (*at == ' ' || *at == '\t'))
        at++, len--;
    while (len && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    return (struct forwarded_text){at, len};
}

/* The end of the text before `separator` outside of double quotes. */
static const char *forwarded_end(const char *at, const char *end, char separator)
{
    bool quoted = false;

    for (; at < end; at++) {
        if (quoted && *at == '\\' && at + 1 < end)
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (*at == separator && !quoted)
            break;
    }
    return at;
}

static void forwarded_split(const char *text, struct forwarded_list *list)
{
    const char *end = text ? text + strlen(text) : NULL, *stop;

    list->count = 0;
    for (const char *at = text; at && at <= end; at = stop + 1) {
        stop = forwarded_end(at, end, ',');
        memmove(list->entries + 1, list->entries, sizeof list->entries - sizeof list->entries[0]);
        list->entries[0] = forwarded_trim(at, (size_t)(stop - at));
        if (list->count < HOPS_MAX)
            list->count++;
    }
}

/* A parameter of an entry of Forwarded, without its quotes; len 0: absent. */
static struct forwarded_text forwarded_parameter(struct forwarded_text entry, const char *name)
{
    const char *end = entry.at + entry.len, *stop;
    const size_t n = strlen(name);

    for (const char *at = entry.at; at < end; at = stop + 1) {
        struct forwarded_text pair;

        stop = forwarded_end(at, end, ';');
        pair = forwarded_trim(at, (size_t)(stop - at));
        if (pair.len <= n || strncasecmp(pair.at, name, n) != 0 || pair.at[n] != '=')
            continue;
        pair = (struct forwarded_text){pair.at + n + 1, pair.len - n - 1};
        if (pair.len >= 2 && pair.at[0] == '"' && pair.at[pair.len - 1] == '"')
            pair = (struct forwarded_text){pair.at + 1, pair.len - 2};
        return pair;
    }
    return (struct forwarded_text){"", 0};
}

/* Walks from the peer towards the client. Returns the number of the client's entry, -1 when none is used. An entry that
 * is no address (“unknown”, “_hidden”) ends the walk: the client is then the proxy that wrote it. */
static int forwarded_walk(const struct http_trust *trust, const struct forwarded_text *addresses, int count,
                          struct in6_addr *client)
{
    int used = -1;

    for (int i = 0; i < count && trust_is_proxy(trust, client); i++) {
        struct in6_addr next;

        if (!trust_parse_address(addresses[i].at, addresses[i].len, &next))
            break;
        *client = next;
        used = i;
    }
    return used;
}

/* The entry that belongs to the client's: proxies that replace a header instead of appending leave fewer entries. */
static struct forwarded_text forwarded_pick(const struct forwarded_list *list, int used)
{
    if (list->count == 0)
        return (struct forwarded_text){"", 0};
    return list->entries[used < 0 ? 0 : used < list->count ? used : list->count - 1];
}

static bool forwarded_take(struct forwarded_text proto, struct forwarded_text host, struct trust_client *client,
                           const char **why)
{
    if (proto.len == 5 && strncasecmp(proto.at, "https", 5) == 0) {
        client->https = true;
    } else if (proto.len && (proto.len != 4 || strncasecmp(proto.at, "http", 4) != 0)) {
        *why = "The forwarded protocol is not http or https.";
        return false;
    }
    if (host.len > HTTP_ORIGIN_MAX || memchr(host.at, '/', host.len) || memchr(host.at, '@', host.len)) {
        *why = "The forwarded host is not a host name with an optional port.";
        return false;
    }
    memcpy(client->host, host.at, host.len);
    client->host[host.len] = 0;
    return true;
}

bool trust_find_client(const struct http_trust *trust, const struct in6_addr *peer, const struct trust_headers *headers,
                       struct trust_client *client, const char **why)
{
    struct forwarded_list fors, protos, hosts, elements;
    struct forwarded_text addresses[HOPS_MAX], proto, host;
    struct in6_addr by_element = *peer;
    int used, element;

    *client = (struct trust_client){.address = *peer};
    if (!trust_is_proxy(trust, peer))
        return true;
    forwarded_split(headers->x_for, &fors);
    forwarded_split(headers->x_proto, &protos);
    forwarded_split(headers->x_host, &hosts);
    forwarded_split(headers->forwarded, &elements);
    used = forwarded_walk(trust, fors.entries, fors.count, &client->address);
    for (int i = 0; i < elements.count; i++)
        addresses[i] = forwarded_parameter(elements.entries[i], "for");
    element = forwarded_walk(trust, addresses, elements.count, &by_element);
    /* A proxy writes one of the two and passes the other on as the client sent it. */
    if (fors.count && elements.count && memcmp(&client->address, &by_element, sizeof by_element) != 0) {
        *why = "Forwarded and X-Forwarded-For name different clients: the proxy must remove the one that it does not "
               "write.";
        return false;
    }
    proto = forwarded_pick(&protos, used);
    host = forwarded_pick(&hosts, used);
    if (elements.count) {
        struct forwarded_text own = forwarded_pick(&elements, element);

        client->address = by_element;
        proto = proto.len ? proto : forwarded_parameter(own, "proto");
        host = host.len ? host : forwarded_parameter(own, "host");
    }
    return forwarded_take(proto, host, client, why);
}
