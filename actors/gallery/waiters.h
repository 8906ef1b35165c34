/* Asks that wait until the gallery knows all changes that were committed before them.
 *
 * Each waits for a reading of the log. At the end of the reading the changes are queued for the search thread, so every
 * match that is asked later sees them; the pass over stored faces follows by itself. A waiter whose reading failed
 * waits for the next one: the pass repeats it. Loop thread.
 */
#ifndef KITH_ACTORS_GALLERY_WAITERS_H
#define KITH_ACTORS_GALLERY_WAITERS_H

#include "core/actor/actor.h"

enum { WAITERS_MAX = 4096 };

struct waiter {
    actor_token token;
    uint64_t reading; /* number of the reading that serves it */
};

struct waiters {
    struct actor *self;
    struct waiter list[WAITERS_MAX]; /* in ascending order of the reading */
    int count;
};

/* Adds a waiter; token 0 (told, not asked) is ignored. Answers ACTOR_FULL beyond WAITERS_MAX. */
void waiters_add(struct waiters *w, actor_token token, uint64_t reading);

/* A reading has reached the end of the log: answers those that it serves with MSG_GALLERY_READ. */
void waiters_on_log_end(struct waiters *w, uint64_t reading);

#endif
