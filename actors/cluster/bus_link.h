/* Connects the bus with the actors: brings its messages and its state to the mailboxes of "cluster" and of one more
 * actor, which has a subject of its own. It outlives restarts of both. Loop thread.
 *
 * Subjects: PREFIX.presence is shared by all clusters with the prefix, so that they notice each other. All others
 * begin with PREFIX.CLUSTER, where CLUSTER is the id in the database. */
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

enum { CLUSTER_ID_BYTES = 33 };

struct bus_link {
    struct bus_link_config config;
    struct bus *bus;                /* NULL: closed */
    char cluster[CLUSTER_ID_BYTES]; /* "": not known yet, and closed */
    struct arena texts;
    const char *subjects[4]; /* ends with NULL */
};

/* Whether `cluster` can be a cluster's id: it becomes part of subjects. */
bool bus_link_id_valid(const char *cluster);
/* Starts the connection, with `config` filled in; its texts are borrowed until bus_link_close(). Once. */
void bus_link_open(struct bus_link *link, const char *cluster);
/* Before the actor system is freed. Run the loop once more: the bus closes its handle. Accepts a closed one. */
void bus_link_close(struct bus_link *link);

#endif
