/* Requests to the recogniser from their acceptance to their end.
 *
 *   accepted ─▶ OPENING ──file opened──▶ WAITING ──dispatched──▶ WORKING ──▶ ended
 *                  │ cannot be opened,      │ no worker can start,           ▲
 *                  │ time limit             │ time limit                     │
 *                  └────────────────────────┴────────────────────────────────┘
 *
 * A thread of the pool opens the file, so that a slow disk does not block the loop. The asker gets exactly one answer:
 * the worker's, or the reason why there is none. Urgent requests are dispatched before normal ones.
 *
 * The end of a request is told to the breaker, once, when it says whether the recogniser works. A file that is not
 * opened in time counts as a failure, as a disk that hangs would fail every image. A request that no worker takes in
 * time does not: the workers are busy.
 */
#ifndef KITH_ACTORS_PIPELINE_REQUESTS_H
#define KITH_ACTORS_PIPELINE_REQUESTS_H

#include "actors/messages.h"

enum request_state { REQUEST_OPENING, REQUEST_WAITING, REQUEST_WORKING, REQUEST_EXPIRED };

struct request {
    struct request *prev, *next;     /* OPENING and WAITING: in a list of struct requests */
    enum request_state state;        /* EXPIRED: answered, and still with the thread that opens its file */
    uint64_t since_ms;               /* when it entered the state */
    uint32_t generation;             /* of the breaker's state that let it through */
    const struct msg_recognize *ask; /* referenced */
    actor_token token;
    int fd;                 /* owned; -1: the file cannot be opened on this machine */
    struct file_stamp file; /* of the open file */
    struct error error;     /* why it cannot be opened */
};

struct requests {
    struct request *opening;         /* OPENING requests, the oldest first */
    struct request *urgent, *normal; /* WAITING requests, the oldest first */
    uint32_t count;                  /* of the three lists */
    uint64_t life;                   /* of the actor: a request of an earlier life is in none of them */
    uint64_t timer_ms;               /* when the timer is due; 0: it is not set */
};

void requests_start(struct actor *self);
/* MSG_RECOGNIZE: answers at once when the limit is reached. */
void requests_accept(struct actor *self, const struct msg *m);
/* MSG_RECOGNIZER_OPENED */
void requests_on_opened(struct actor *self, const struct msg *m);
/* Removes the next request from the queues; the caller owns it. NULL: none waits. */
struct request *requests_take(struct actor *self);
/* Ends all WAITING requests with `outcome`. */
void requests_fail_waiting(struct actor *self, int outcome, const char *reason);
/* TIMER_REQUESTS: ends requests that have reached their time limit. */
void requests_on_timer(struct actor *self);
/* Tells the breaker the outcome, answers with `m` (taken) and frees the request. */
void request_end(struct actor *self, struct request *request, struct msg_recognized *m);

#endif
