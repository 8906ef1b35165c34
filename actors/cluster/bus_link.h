/* Connects the bus with the actors: brings its messages and its state to the mailboxes of "cluster" and of one more
 * actor, which has a subject of its own. It outlives restarts of both. Loop thread. */
#ifndef KITH_ACTORS_CLUSTER_BUS_LINK_H
#define KITH_ACTORS_CLUSTER_BUS_LINK_H

#include "core/actor/driver_uv.h"
#include "core/base/arena.h"
#include "core/bus/bus.h"

struct bus_link_config {
    struct driver_uv *driver;
    const char *prefix, *node;       /* of subjects */
    const char *inbox, *inbox_actor; /* a further subject, and the actor that gets its messages */
    struct bus_options bus;          /* without subjects and callbacks */
};

struct bus_link { /* zeroed: closed */
    struct bus_link_config config;
    struct bus *bus; /* NULL: closed */
    struct arena texts;
    const char *subjects[4]; /* ends with NULL */
};

/* Starts the connection. Texts of `config` are borrowed until bus_link_close(). */
void bus_link_open(struct bus_link *link, const struct bus_link_config *config);
/* Before the actor system is freed. Run the loop once more: the bus closes its handle. Accepts a closed one. */
void bus_link_close(struct bus_link *link);

#endif
