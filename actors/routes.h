/* The routes of kith as one table. */
#ifndef KITH_ACTORS_ROUTES_H
#define KITH_ACTORS_ROUTES_H

#include "core/http/http.h"

extern const struct http_route routes[]; /* ends with a NULL method */

struct auth;
struct driver_uv;

struct routes_context {
    struct driver_uv *driver; /* of the actors */
    struct auth *auth;
};

/* Authorises a request and passes it to the actor of its route, or answers with an error. `context` is a
 * routes_context. */
void routes_dispatch(void *context, const struct http_route *route, struct http_request *request);

/* Whether the credentials of an unfinished request hold a valid key. `context` is a routes_context. */
bool routes_admits(void *context, const char *address, const struct http_credentials *credentials);

#endif
