/* Lets a request in or answers why not: before it reaches an actor. */
#ifndef KITH_ACTORS_ACCESS_AUTH_H
#define KITH_ACTORS_ACCESS_AUTH_H

#include "actors/access/api_keys.h"
#include "core/http/http.h"

#define KEY_COOKIE "kith_key"

struct auth {
    bool keys; /* false: whoever comes is let in */
    bool read; /* the records' keys have been read once */
    struct api_keys *ring;
};

/* Whether it may go on; if not it is answered (401, 403, 429, 503) in words. Notes whose key it came with. */
bool auth_check(struct auth *d, struct http_request *request, unsigned access);

/* The key that a request shows: Authorization: Bearer, x-api-key, or the page's cookie. False when there is none. */
bool auth_key(const struct http_request *request, char *key, size_t size);
/* Looks at one key that this request shows. */
struct api_keys_verdict auth_authenticate(struct auth *d, struct http_request *request, const char *key);
/* Answers a verdict that is not KEY_RIGHT. */
void auth_refuse(struct http_request *request, const struct api_keys_verdict *verdict);

#endif
