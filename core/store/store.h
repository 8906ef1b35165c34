/* The records of kith: images, faces, people, photos, events, API keys.
 *
 * The store looks like an actor, "store": every operation is a message to ask it. Behind it one thread owns the one
 * connection that writes: it takes all writes that wait into one transaction (one that fails costs the others nothing),
 * commits once, and only then are they answered. What is answered STORE_OK is durable. Other threads read.
 *
 * Every write that belongs to one run of an image carries `attempt`, the fencing token of its claim: when it is old,
 * nothing changes and `changed` is 0.
 *
 * Messages and replies own an arena; all they point to lives in it (or is borrowed for the message's life).
 */
#ifndef KITH_CORE_STORE_STORE_H
#define KITH_CORE_STORE_STORE_H

#include "core/base/error.h"
#include "core/store/messages.h"
#include "core/store/records.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

/* Calls `line` with each statement that makes the newest schema of "sqlite" or "mariadb"; false: no such database. */
bool store_schema(const char *database, void (*line)(void *context, const char *sql), void *context);

struct store_options {         /* borrowed for the store's life */
    const char *folder;        /* the data folder; made when missing */
    const char *database;      /* "sqlite", or "mariadb://user@host:port/name" */
    const char *password;      /* of a server; NULL: none */
    const char *password_file; /* read again for each connection; NULL: always `password` */
    const char *node;          /* this node's name among those that share a server */
    const char *spool;         /* folder of uploaded files, absolute; may be filled in until store_attach; NULL: none */
    int64_t timeout_ms;        /* of a server's answers; 0: 5 s */
    int64_t queue_limit;
    uint64_t disk_reserve;     /* bytes of the embedded database's disk below which nothing new is accepted; 0: off */
    int64_t recount_ms;        /* time between two recounts of the images by status; 0: none */
    bool once_a_picture;       /* a name is given to at most one face of a picture */
    struct doubt_limits doubt; /* of the names that galleries give */
    bool relaxed;              /* accept a server that does not flush its log at each commit */
    bool without_lock;         /* another process owns the folder: open beside it */
    const char *ca;            /* file of CA certificates for TLS to a server; NULL or "": no TLS */
    void (*give_up)(void *context, const char *reason); /* the program must end: the database is damaged */
    void *context;
};

/* Locks the folder, opens the database and brings its schema up to date. Blocks: before the loop runs. NULL with
 * `error` when it cannot; a server that cannot be reached is waited for, and requests are refused with STORE_AWAY
 * meanwhile. */
struct store *store_open(const struct store_options *options, struct error *error);
/* Spawns the actor "store" and starts the threads. */
void store_attach(struct store *store, struct actor_system *system);
/* Executes the requests that wait and joins the threads. Call it before the actor system is freed. */
void store_detach(struct store *store);
void store_close(struct store *store);

/* Copies the embedded database in `folder` to a new file, as it is at one moment, and checks the copy. Beside a kith
 * that works on it. 0 with its size, or negative errno with `error`: there is a file already, no room, … Blocks. */
int store_backup(const char *folder, const char *file, int64_t *bytes, struct error *error);

/* Writes the embedded database in `folder` anew, without its free pages; no kith may use it. 0 with its sizes, or
 * negative errno with `error`. Blocks. */
int store_compact(const char *folder, int64_t *before, int64_t *after, struct error *error);

#endif
