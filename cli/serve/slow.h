/* Logs slow callbacks of actors, at most one line a second. Loop thread only. */
#ifndef KITH_CLI_SERVE_SLOW_H
#define KITH_CLI_SERVE_SLOW_H

#include "core/actor/system.h"

/* An `on_slow` of the actor system. `context` is not used. */
void slow_log(void *context, const struct actor_slow *slow);

#endif
