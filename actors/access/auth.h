/* Authenticates and authorises a request before it is dispatched to an actor. Loop thread. */
#ifndef KITH_ACTORS_ACCESS_AUTH_H
#define KITH_ACTORS_ACCESS_AUTH_H

#include "actors/access/api_keys.h"
#include "core/base/log/log_rate.h"
#include "core/http/http.h"

#define KEY_COOKIE "kith_key"

struct auth {
    bool required; /* false: KITH_AUTH=none, every request is permitted */
    bool loaded;   /* the keys of the database have been loaded at least once */
    struct api_keys *keys;
    struct log_rate log_rate; /* of the lines about wrong keys */
};

/* Whether the request may be dispatched; if not, it gets a 401, 403, 429 or 503. Stores the name and number of the key
 * in the request. */
bool auth_check(struct auth *auth, struct http_request *request, unsigned access);

/* The API key of a request: Authorization: Bearer, x-api-key, or the dashboard's cookie, in this order. A key that is
 * empty or longer than `size` - 1 bytes is AUTH_KEY_INVALID, never absent. */
enum auth_key_result { AUTH_KEY_ABSENT, AUTH_KEY_FOUND, AUTH_KEY_INVALID };
enum auth_key_result auth_key(const struct http_request *request, char *key, size_t size);
/* Whether the credentials hold a valid key, before their request is complete. A wrong key counts as a failure of the
 * client at `address`. */
bool auth_admits(struct auth *auth, const char *address, const struct http_credentials *credentials);
/* Checks one key for this request and counts a failure against its address. */
struct api_keys_verdict auth_authenticate(struct auth *auth, struct http_request *request, const char *key);
/* Sends the problem document for a verdict other than KEY_VALID. */
void auth_refuse(struct http_request *request, const struct api_keys_verdict *verdict);

#endif
