/* The work queue of a cluster: hints that an image waits, spread over the nodes by a JetStream work queue. */
#ifndef KITH_ACTORS_PIPELINE_WORK_QUEUE_H
#define KITH_ACTORS_PIPELINE_WORK_QUEUE_H

#include "actors/messages.h"
#include "core/bus/bus.h"

struct work_queue_config {
    struct bus *const *bus;
    const char *prefix; /* of subjects; the stream is called PREFIX_hints */
    uint64_t boot;      /* which run of the node this is */
    bool claims;        /* this node has a processor: it takes hints, beside giving them */
    int64_t max_age_ms; /* a hint older than this is worth nothing: the table has been looked through since */
};

/* The subject that answers to this actor come on, in `arena`: the bus must listen to it. */
const char *work_queue_inbox(struct arena *arena, uint64_t boot);
/* Whether a message is this actor's: an answer of the server, or a hint (which keeps the subject it was given under and
 * is known by where its ack goes). `reply` may be NULL. */
bool work_queue_is_for(const char *subject, const char *reply, uint64_t boot);

extern const struct actor_ops work_queue_actor;

#endif
