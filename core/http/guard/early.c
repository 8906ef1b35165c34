/* Answers to requests that have not arrived completely: a malformed head, a large body without an API key.
 *
 * An HTTP/1 connection is answered at once; what it sends after that is discarded, and it is cut a moment later, so
 * that the client can read the answer. HTTP/2 requests are answered at their end, see budget.c.
 */
#include "core/http/http_internal.h"

#include "core/base/clock.h"

#include <stdio.h>
#include <string.h>

enum { CREDENTIALS = 3, CREDENTIAL_BYTES = HEADER_COOKIE_MAX + 1 };

struct early_request {
    const struct conn *conn;
    uint32_t n; /* of the unfinished ones */
};

struct early_answer {
    int status;
    const char *slug;
    char detail[256];
};

static bool early_send(struct conn *conn, const struct early_answer *answer, const char *why)
{
    struct buf body = {0}, out = {0};
    bool sent;

    buf_printf(&body, "{\"type\":\"urn:kith:problem:%s\",\"title\":\"%s\",\"status\":%d,\"detail\":", answer->slug,
               reply_reason(answer->status), answer->status);
    buf_json(&body, answer->detail);
    buf_str(&body, "}\n");
    buf_printf(&out, "HTTP/1.1 %d %s\r\nconnection: close\r\n%scontent-type: application/problem+json\r\n",
               answer->status, reply_reason(answer->status),
               answer->status == 401 ? "www-authenticate: Bearer\r\n" : "");
    buf_printf(&out, "content-length: %zu\r\n\r\n", body.len);
    buf_add(&out, body.data, body.len);
    sent = conn->server->ops->answer_early(conn->sock, out.data, out.len);
    buf_free(&body);
    buf_free(&out);
    if (!sent)
        return false;
    conn->budget.refused = why;
    conn->budget.refused_ms = clock_monotonic_ms();
    return true;
}

void early_refuse_head(struct conn *conn, int status, const char *why)
{
    struct early_answer answer = {.status = status, .slug = status == 431 ? "header-too-long" : "bad-request"};

    snprintf(answer.detail, sizeof answer.detail, "%s", why);
    if (!status || !early_send(conn, &answer, "malformed request"))
        guard_cut_because(conn, "malformed request");
}

static struct engine_text early_header(const void *context, const char *name, size_t n)
{
    const struct early_request *request = context;

    return request->conn->server->ops->unfinished_header(request->conn->sock, request->n, name, n);
}

/* Returns false with an answer when the header is longer than `max`. */
static bool early_read(const struct early_request *request, const char *name, const char *separator, size_t max,
                       char *value, const char **found, struct early_answer *answer)
{
    ssize_t len = header_join_lines(early_header, request, name, separator, value, max + 1);

    *found = len < 0 ? NULL : value;
    if (len <= (ssize_t)max)
        return true;
    answer->status = 431;
    answer->slug = "header-too-long";
    snprintf(answer->detail, sizeof answer->detail, HEADER_TOO_LONG, name, len, max);
    return false;
}

/* The address that a wrong key counts against: of the client behind trusted proxies. */
static bool early_find_client(const struct early_request *request, struct trust_client *client,
                              struct early_answer *answer)
{
    const struct http_trust *trust = request->conn->server->o.trust;
    const struct in6_addr *peer = &request->conn->peer->address;
    char texts[4][TRUST_HEADER_MAX + 1];
    struct trust_headers headers = {0};
    const char *why;

    if (trust_is_proxy(trust, peer) &&
        (!early_read(request, "x-forwarded-for", ",", TRUST_HEADER_MAX, texts[0], &headers.x_for, answer) ||
         !early_read(request, "x-forwarded-proto", ",", TRUST_HEADER_MAX, texts[1], &headers.x_proto, answer) ||
         !early_read(request, "x-forwarded-host", ",", TRUST_HEADER_MAX, texts[2], &headers.x_host, answer) ||
         !early_read(request, "forwarded", ",", TRUST_HEADER_MAX, texts[3], &headers.forwarded, answer)))
        return false;
    if (trust_find_client(trust, peer, &headers, client, &why))
        return true;
    answer->status = 400;
    answer->slug = "bad-forwarded";
    snprintf(answer->detail, sizeof answer->detail, "%s", why);
    return false;
}

static bool early_is_admitted(const struct early_request *request, struct early_answer *answer)
{
    static const char *const names[CREDENTIALS] = {"authorization", "x-api-key", "cookie"};
    const struct http_server *server = request->conn->server;
    char values[CREDENTIALS][CREDENTIAL_BYTES], address[INET6_ADDRSTRLEN];
    const char *found[CREDENTIALS];
    struct http_credentials credentials;
    struct trust_client client;

    for (int i = 0; i < CREDENTIALS; i++)
        if (!early_read(request, names[i], "; ", header_max(names[i]), values[i], &found[i], answer))
            return false;
    if (!early_find_client(request, &client, answer))
        return false;
    guard_write_address(&client.address, address, sizeof address);
    credentials = (struct http_credentials){found[0], found[1], found[2]};
    return server->o.admits(server->o.context, address, &credentials);
}

bool early_admit(struct conn *conn)
{
    struct early_answer answer = {401, "no-key", "A body of this size needs an API key (KITH_UNKNOWN_BODY)."};

    for (uint32_t n = 0; n < conn->budget.unfinished; n++) {
        const struct early_request request = {conn, n};

        if (early_is_admitted(&request, &answer))
            return true;
    }
    if (!conn->budget.http2)
        early_send(conn, &answer, "no key");
    return false;
}
