/* The work queue of a cluster: messages that an image waits, distributed to the nodes by a JetStream work queue. */
#ifndef KITH_ACTORS_PIPELINE_WORK_QUEUE_H
#define KITH_ACTORS_PIPELINE_WORK_QUEUE_H

#include "actors/messages.h"
#include "core/bus/bus.h"

struct work_queue_config {
    struct bus *const *bus;
    const char *prefix;  /* of subjects; the stream is PREFIX_CLUSTER_work */
    const char *cluster; /* the id of the cluster; "" until the bus is open */
    const char *inbox;   /* as from work_queue_write_inbox() */
    bool claims;         /* this node has a processor: it takes work items, too */
    int64_t max_age_ms;  /* older work items are dropped: the table has been polled since */
};

/* Writes the subject on which this run of the node gets the server's answers and its work items: the bus subscribes to
 * it and brings its messages to this actor. */
enum { WORK_QUEUE_INBOX_BYTES = 64 };
void work_queue_write_inbox(char inbox[static WORK_QUEUE_INBOX_BYTES], uint64_t boot);

extern const struct actor_ops work_queue_actor;

#endif
