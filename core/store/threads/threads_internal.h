/* What the sources of the store's threads share. All of it runs on a thread of the store. */
#ifndef KITH_CORE_STORE_THREADS_THREADS_INTERNAL_H
#define KITH_CORE_STORE_THREADS_THREADS_INTERNAL_H

#include "core/store/threads/threads.h"

enum {
    GROUP_MAX = 1024,   /* requests of one transaction: enough to make the cost of a commit small */
    GROUP_PATHS = 16384 /* paths of one transaction: few enough to answer soon */
};

struct group { /* one transaction under way */
    struct store_thread *w;
    int64_t now_ms;
    struct op sum;        /* what all of it adds to the counts */
    bool unkeyed_images;  /* there may be images without a key, to be adopted */
    bool disk_low;        /* the reserve of the disk is reached */
    bool outcome_unknown; /* an earlier COMMIT of the same requests was not answered */
};

/* Waits for requests that writer or reader `number` may take, and takes at most `max` of them, in order. NULL when the
 * queue is stopping and empty. A writer calls queue_release when it has committed them. */
struct request *queue_take(struct queue *q, int number, int max);
void queue_release(struct queue *q, int number);

/* Closes the connection of `w` and opens another. 0, or a negative errno that is also in `w->error`. */
int connection_open(struct store_thread *w);
/* Whether there is a connection; opens one when the next try is due. */
bool connection_ready(struct store_thread *w);
/* Reads the number of pending images of all nodes into `w->pending`. 0 or a negative db_result. */
int connection_count_pending(struct store_thread *w, int64_t now_ms);

/* Gives the request an empty reply: an operation may run again after a failed transaction. */
void reply_renew(struct request *r);
/* Sets the status and the text for clients, who do not get to see what the database reported. */
void reply_fail(struct store_reply *r, int result, bool outcome_unknown);
void reply_clear_refused(struct store_reply *r);
/* Fails each request of a transaction that was not committed. `outcome_unknown`: its COMMIT was not answered. */
void reply_fail_all(struct request *first, int result, bool outcome_unknown);

struct op operation_for(struct group *g, struct store_reply *reply);
int operation_run(struct op *op, const struct msg *m);
struct msg_done *done_new(struct request *first);

/* The main functions of a writer and of a reader; `arg` is a struct store_thread. */
void *writer_run(void *arg);
void *reader_run(void *arg);

#endif
