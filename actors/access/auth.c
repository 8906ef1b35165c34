#include "actors/access/auth.h"

#include "core/base/clock.h"
#include "core/base/log/log.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ADDRESS_BYTES = 64, COOKIES_BYTES = 8192, AUTHORIZATION_BYTES = KEY_MAX_BYTES + 8 };

static enum auth_key_result auth_key_copy(const char *text, size_t len, char *key, size_t size)
{
    if (len == 0 || len >= size)
        return AUTH_KEY_INVALID;
    memcpy(key, text, len);
    key[len] = 0;
    return AUTH_KEY_FOUND;
}

/* The session cookie's value among `cookies`. */
static enum auth_key_result auth_key_of_cookies(const char *cookies, char *key, size_t size)
{
    const size_t name = strlen(KEY_COOKIE);

    for (const char *at = cookies; at && *at; at = strchr(at, ';')) {
        at += strspn(at, "; ");
        if (strncmp(at, KEY_COOKIE, name) == 0 && at[name] == '=')
            return auth_key_copy(at + name + 1, strcspn(at + name + 1, "; "), key, size);
    }
    return AUTH_KEY_ABSENT;
}

static enum auth_key_result auth_key_of(const struct http_credentials *c, char *key, size_t size)
{
    if (c->authorization && strncasecmp(c->authorization, "bearer ", 7) == 0) {
        const char *at = c->authorization + 7 + strspn(c->authorization + 7, " ");

        return auth_key_copy(at, strlen(at), key, size);
    }
    if (c->api_key)
        return auth_key_copy(c->api_key, strlen(c->api_key), key, size);
    return c->cookie ? auth_key_of_cookies(c->cookie, key, size) : AUTH_KEY_ABSENT;
}

enum auth_key_result auth_key(const struct http_request *request, char *key, size_t size)
{
    char authorization[AUTHORIZATION_BYTES], api_key[KEY_MAX_BYTES + 1], cookie[COOKIES_BYTES];
    const struct http_credentials credentials = {
        http_request_header(request, "authorization", authorization, sizeof authorization) ? authorization : NULL,
        http_request_header(request, "x-api-key", api_key, sizeof api_key) ? api_key : NULL,
        http_request_header(request, "cookie", cookie, sizeof cookie) ? cookie : NULL};

    return auth_key_of(&credentials, key, size);
}

bool auth_admits(struct auth *auth, const char *address, const struct http_credentials *credentials)
{
    char key[KEY_MAX_BYTES + 1];

    if (!auth->loaded) /* the request gets its 503 at its end: a valid key must not count as wrong */
        return true;
    return auth_key_of(credentials, key, sizeof key) == AUTH_KEY_FOUND &&
           api_keys_check(auth->keys, address, key, strlen(key), clock_monotonic_ms(), clock_wall_ms()).result ==
               KEY_VALID;
}

struct api_keys_verdict auth_authenticate(struct auth *auth, struct http_request *request, const char *key)
{
    struct api_keys_verdict verdict;
    char address[ADDRESS_BYTES];
    uint64_t now_ms = clock_monotonic_ms();

    if (!auth->loaded && !api_keys_has(auth->keys, key, strlen(key))) /* it may be valid: no failure is counted */
        return (struct api_keys_verdict){.result = KEY_NOT_LOADED};
    http_request_address(request, address, sizeof address);
    verdict = api_keys_check(auth->keys, address, key, strlen(key), now_ms, clock_wall_ms());
    if (verdict.result == KEY_VALID)
        http_request_set_who(request, verdict.who, verdict.key);
    else if (verdict.result == KEY_INVALID && log_rate_permits(&auth->log_rate, now_ms))
        log_event(LOG_WARN, "wrong key", LOG_STR("address", address), LOG_STR("request", http_request_id(request)));
    return verdict;
}

void auth_refuse(struct http_request *request, const struct api_keys_verdict *verdict)
{
    char seconds[24];

    if (verdict->result == KEY_RATE_LIMITED) {
        snprintf(seconds, sizeof seconds, "%llu", (unsigned long long)(verdict->wait_ms + 999) / 1000);
        http_add_header(request, "retry-after", seconds);
        http_problem(request, 429, "too-many-wrong-keys",
                     "Too many wrong API keys were sent from this address; wait %s s (KITH_AUTH_FAILURES).", seconds);
        return;
    }
    if (verdict->result == KEY_NOT_LOADED) {
        http_problem(request, 503, "keys-not-read", "The API keys have not been loaded from the database yet.");
        return;
    }
    http_add_header(request, "www-authenticate", "Bearer");
    if (verdict->result == KEY_EXPIRED) {
        char when[CLOCK_TEXT_BYTES];

        clock_format(verdict->expired_ms, when);
        http_problem(request, 401, "key-expired", "The API key “%s” expired at %s; “kith key create” makes another.",
                     verdict->who, when);
        return;
    }
    http_problem(request, 401, "wrong-key", "The API key is not valid; “kith key create” makes one.");
}

bool auth_check(struct auth *auth, struct http_request *request, unsigned access)
{
    struct api_keys_verdict verdict;
    char key[KEY_MAX_BYTES + 1];

    if (!auth->required || access == ACCESS_PUBLIC)
        return true;
    switch (auth_key(request, key, sizeof key)) {
    case AUTH_KEY_FOUND:
        break;
    case AUTH_KEY_INVALID:
        http_add_header(request, "www-authenticate", "Bearer");
        http_problem(request, 401, "wrong-key", "The API key is empty or has more than %d bytes.", KEY_MAX_BYTES);
        return false;
    case AUTH_KEY_ABSENT:
        http_add_header(request, "www-authenticate", "Bearer");
        http_problem(
            request, 401, "no-key",
            "This request needs an API key: “Authorization: Bearer …” or “x-api-key: …” (KITH_AUTH); “kith key create” "
            "makes one.");
        return false;
    }
    verdict = auth_authenticate(auth, request, key);
    if (verdict.result == KEY_VALID && (verdict.roles & access))
        return true;
    if (verdict.result == KEY_VALID)
        http_problem(request, 403, "key-not-for-this", "The key “%s” is not for this: it needs the role %s.",
                     verdict.who, access_name(access));
    else
        auth_refuse(request, &verdict);
    return false;
}
