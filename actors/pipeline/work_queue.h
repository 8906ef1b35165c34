/* The work queue of a cluster: work items, which say that an image waits, spread over the nodes by JetStream. */
#ifndef KITH_ACTORS_PIPELINE_WORK_QUEUE_H
#define KITH_ACTORS_PIPELINE_WORK_QUEUE_H

#include "actors/messages.h"
#include "core/bus/bus.h"

struct work_queue_config {
    struct bus *const *bus;
    const char *prefix; /* of subjects; the stream is called PREFIX_hints */
    uint64_t boot;      /* which run of the node this is */
    bool claims;        /* this node has a processor: it takes work items too */
    int64_t max_age_ms; /* an older item is dropped: a poll has found its image since */
};

/* The subject on which the server answers this actor, in `arena`. The bus must subscribe to it. */
const char *work_queue_inbox(struct arena *arena, uint64_t boot);
/* Whether a message of the bus is for this actor: an answer of the server, or a work item. An item keeps the subject
 * that it was published on; the subject of its ack tells it apart. `reply` may be NULL. */
bool work_queue_is_for(const char *subject, const char *reply, uint64_t boot);

extern const struct actor_ops work_queue_actor;

#endif
