/* A real HTTP server on a loop of the target, and a client that sends the bytes of an input over a connection. */
#ifndef KITH_TEST_FUZZ_FUZZ_SERVER_H
#define KITH_TEST_FUZZ_FUZZ_SERVER_H

#include "core/http/http.h"

/* Starts the server once a process: `routes` and `dispatch` as in http.h. */
void fuzz_server_start(uv_loop_t *loop, const struct http_route *routes,
                       void (*dispatch)(void *context, const struct http_route *route, struct http_request *request));
/* Sends the bytes and the end of the stream, and runs the loop until the server has closed the connection. Returns the
 * status of the first response; 0: none. */
int fuzz_server_exchange(const void *data, size_t len);

#endif
