/* Drives an actor system on a libuv loop: an idle handle while there is work, a timer for the next deadline, an async
 * handle for posts from other threads. The loop polls its sockets between two turns. Loop thread only. */
#ifndef KITH_CORE_ACTOR_DRIVER_UV_H
#define KITH_CORE_ACTOR_DRIVER_UV_H

#include "core/actor/system.h"

#include <uv.h>

struct driver_uv;

/* Fills clock and wake of `options`, makes the system and attaches it to `loop`. Returns owned. */
struct driver_uv *driver_uv_new(uv_loop_t *loop, struct actor_system_options *options);

struct actor_system *driver_uv_system(struct driver_uv *driver);

/* Makes the loop turn the system soon. For code outside of actors, such as a socket's callback, after it has sent. */
void driver_uv_kick(struct driver_uv *driver);

/* Frees the system (every actor stops) and closes the handles; run the loop once more to finish them. */
void driver_uv_free(struct driver_uv *driver);

#endif
