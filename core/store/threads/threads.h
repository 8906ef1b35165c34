/* The threads behind the actor "store". Only store.c includes it.
 *
 *   writes ─▶ one thread, one connection: all that waits is one transaction (a group commit). With MariaDB two threads:
 *             while one commits its group, the other executes the next. The requests of one sender keep their order
 *   reads  ─▶ one or a few threads, a connection each: one operation at a time
 *
 * A connection that is lost is replaced, with a growing wait between the tries; until then every request is refused at
 * once. A group whose COMMIT was not answered is executed again: operations are idempotent (`outcome_unknown`).
 */
#ifndef KITH_CORE_STORE_THREADS_THREADS_H
#define KITH_CORE_STORE_THREADS_THREADS_H

#include "core/store/store_internal.h"

#include <pthread.h>

struct request {
    struct request *next;
    struct msg *m; /* held by the actor's side: released on the loop */
    struct store_reply *reply;
    actor_token token;
    bool skip_cancelled;        /* a read for one client: dropped once the message is cancelled */
    const struct actor *sender; /* identity only */
    char cause[256]; /* what the database reported when this request alone failed; "": nothing. For the log only */
};

struct msg_done { /* what a thread posts: a list of answered requests */
    struct msg head;
    struct request *first;
    bool made_events, broken;
    bool damaged;    /* the file of the database contradicts itself */
    bool away;       /* the database could not be reached */
    char cause[512]; /* what the database reported when the whole transaction failed; for the log only */
};

enum {
    READERS_MAX = 4,    /* with a server */
    SQLITE_READERS = 2, /* a recount must not delay other reads */
    WRITERS_MAX = 2,    /* with a server */
    SENDERS_MAX = 32
};

/* Senders of requests; `submits_only`: they are all submissions. */
struct sender_set {
    struct {
        const struct actor *actor;
        bool submits_only;
    } at[SENDERS_MAX];
    int count;
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t some;
    struct request *first, *last; /* under lock, as all below */
    bool stopping;
    /* For each writer, the senders of the group that it works on. A later request of one of them stays in the queue, so
     * that it does not commit first. Submissions may pass each other: none depends on another one's result. */
    struct sender_set busy[WRITERS_MAX];
    int taker_count; /* writers; 0: a queue of reads, which have no order */
};

struct store_thread {
    struct threads *of;
    struct queue *queue;
    int number;    /* among the writers or the readers */
    struct db *db; /* its own; NULL while there is none */
    uint64_t retry_ms, wait_ms;
    struct error error;          /* why there is none */
    int64_t slot;                /* a writer's row of status_counts */
    int64_t pending, pending_ms; /* a writer's: rows that wait, for the limit; when they were last counted */
    int64_t clock_ms;            /* a writer's: the database's clock at its last transaction */
    bool writes, running;
    pthread_t thread;
};

struct threads {
    struct store_options o; /* its texts are copies */
    char file[4096];        /* SQLite's */
    bool server;            /* MariaDB */
    struct db_address address;
    int64_t counts_slot; /* of the first writer */
    struct queue writes, reads;
    struct store_thread writers[WRITERS_MAX], readers[READERS_MAX];
    int writer_count, reader_count;
    struct actor_system *system;
    struct actor *actor;
};

/* Frees the requests with their messages and, when nobody has taken them, their replies. */
void requests_free(struct request *first);

/* Opens the connections for the first time. -EAGAIN with `error`: not there now, may come; other: will not. */
int threads_open(struct threads *t, struct error *error);
void threads_start(struct threads *t);
void queue_put(struct queue *q, struct request *r);
/* Does what waits, then joins. */
void threads_stop(struct threads *t);
void threads_close(struct threads *t);

#endif
