/* The quarantine: hashes of images that have killed workers. Workers refuse these bytes for a while (KITH_QUARANTINE).
 * The store has the list and its ends; the recogniser reads the list again and again, because other nodes add to it. */
#ifndef KITH_ACTORS_PIPELINE_QUARANTINE_H
#define KITH_ACTORS_PIPELINE_QUARANTINE_H

#include "core/actor/actor.h"
#include "plugins/host/worker_process.h"

enum { QUARANTINE_MAX = 2000 }; /* the largest KITH_QUARANTINE_MAX: a list must fit into a packet to a worker */

struct quarantine {
    char hashes[QUARANTINE_MAX][SHA256_HEX_BYTES];
    size_t count;
    bool cut; /* the store has more than KITH_QUARANTINE_MAX, and this was logged */
};

/* Recogniser: reads the list from the store, sends it to the workers, and sets the timer of the next time. */
void quarantine_read(struct actor *self);
/* Recogniser: sends the list to one worker. */
void quarantine_send(const struct quarantine *q, struct worker *worker);
/* Processor: adds a hash for `for_ms` milliseconds and tells the recogniser to read the list. */
void quarantine_add(struct actor *self, const char *sha256, uint64_t for_ms);

#endif
