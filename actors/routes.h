/* Every route kith serves, as one table. */
#ifndef KITH_ACTORS_ROUTES_H
#define KITH_ACTORS_ROUTES_H

#include "core/net/http.h"

extern const struct http_route routes[]; /* ends with a NULL method */

/* Gives a request to the actor of its route, or answers 503. `context` is the actor system's driver. */
void routes_dispatch(void *context, const struct http_route *route, struct http_request *request);

#endif
