/* Requests to the recogniser from their acceptance to a worker.
 *
 *   accepted ─▶ OPENING ──file opened──▶ WAITING ──dispatched──▶ WORKING ──▶ ended
 *                  │ cannot be opened       │ no worker can start            ▲
 *                  └────────────────────────┴────────────────────────────────┘
 *
 * A thread of the pool opens the file, so that a slow disk does not block the loop. The asker gets exactly one answer:
 * the worker's, or the reason why there is none. Urgent requests are dispatched before normal ones.
 */
#ifndef KITH_ACTORS_PIPELINE_REQUESTS_H
#define KITH_ACTORS_PIPELINE_REQUESTS_H

#include "actors/messages.h"

enum request_state { REQUEST_OPENING, REQUEST_WAITING, REQUEST_WORKING };

struct request {
    struct request *prev, *next; /* WAITING: in its queue */
    enum request_state state;
    const struct msg_recognize *ask; /* referenced */
    actor_token token;
    int fd;             /* owned; -1: the file cannot be opened on this machine */
    struct error error; /* why it cannot */
};

struct requests {
    struct request *urgent, *normal; /* the queues of WAITING requests, the oldest first */
    uint32_t count;                  /* OPENING and WAITING ones */
    uint64_t life;                   /* of the actor: a request of an earlier life is not counted */
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
/* Answers with `m` (taken) and frees the request. */
void request_end(struct actor *self, struct request *request, struct msg_recognized *m);

#endif
