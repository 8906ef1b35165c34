/* Turns an actor system on a libuv loop: an idle handle while there is work, a timer for the next deadline, an async
 * handle for posts from other threads. Between two turns the loop polls its sockets, so that they stay responsive. */
#ifndef KITH_CORE_ACTOR_DRIVER_UV_H
#define KITH_CORE_ACTOR_DRIVER_UV_H

#include "core/actor/system.h"

#include <uv.h>

struct driver_uv;

/* Fills clock and wake of `options`, makes the system and attaches it to `loop`. */
struct driver_uv *driver_uv_new(uv_loop_t *loop, struct actor_system_options *options);

struct actor_system *driver_uv_system(struct driver_uv *driver);

/* Call on the loop thread after telling actors from outside (a socket's callback): makes sure of a turn. */
void driver_uv_kick(struct driver_uv *driver);

/* Frees the system (every actor stops) and closes the handles; run the loop once more to finish them. */
void driver_uv_free(struct driver_uv *driver);

#endif
