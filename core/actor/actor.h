/* The actor runtime as a behaviour uses it.
 *
 * An actor is a name, a bounded mailbox and a behaviour (`struct actor_ops`). Behaviours run on the loop thread, one
 * message at a time, and never block. Everything here is for the loop thread, unless it says otherwise.
 *
 *   tell   delivers, or returns at once why not
 *   ask    ends exactly once: by a reply, an error or the deadline
 *   timer  one per id; setting it again moves it
 *
 * An address is a name ("store": on this node) or a name and nodes: "gallery@berlin" (that node), "recognizer@*" (one
 * node that has the actor), "gallery@**" (all nodes that have it; tell only). The sender's code is the same.
 *
 * Actors know each other by name and message only. An actor that fails is restarted in place with a fresh state: its
 * name and its mailbox stay, its own asks end with ACTOR_GONE, the asks that it received end with ACTOR_FAILED.
 */
#ifndef KITH_CORE_ACTOR_ACTOR_H
#define KITH_CORE_ACTOR_ACTOR_H

#include "core/actor/msg.h"

#include <stdbool.h>
#include <stdint.h>

struct actor;
struct actor_system;

enum actor_status {
    ACTOR_OK = 0,
    ACTOR_FULL = -1,     /* the mailbox or the table of asks is at its limit: try later */
    ACTOR_GONE = -2,     /* no actor of that name, or it has stopped */
    ACTOR_TIMEOUT = -3,  /* no answer before the deadline */
    ACTOR_FAILED = -4,   /* the asked actor failed before it answered */
    ACTOR_REFUSED = -5,  /* it does not accept messages of that type */
    ACTOR_CANCELLED = -6 /* nobody waits for the outcome: the message was dropped */
};

/* The name of a status, for logs. */
const char *actor_status_name(int status);

struct actor_ops {
    const char *name;  /* of the behaviour, for logs */
    size_t state_size; /* of the state, zeroed before each start */
    /* The message types that `receive` handles, ended by 0, and the range from accepts_first to accepts_last. Others
     * never reach `receive`, so that it may cast what it gets: a debug build aborts, a release build counts them as
     * misrouted and ends an ask with ACTOR_REFUSED. NULL and no range: all types. */
    const uint32_t *accepts;
    uint32_t accepts_first, accepts_last;
    /* Returns 0, or a negative number when it cannot start: it is tried again after a back-off. */
    int (*start)(struct actor *self);
    void (*receive)(struct actor *self, const struct msg *m);
    void (*timer)(struct actor *self, uint32_t timer_id);
    void (*stop)(struct actor *self);
};

void *actor_state(struct actor *self);
const void *actor_config(const struct actor *self);
const char *actor_name(const struct actor *self);
struct actor_system *actor_system_of(const struct actor *self);

/* Milliseconds of a monotonic clock, read once a turn. */
uint64_t actor_now_ms(const struct actor *self);

/* Both take the reference to `m`, also when they refuse. `self` may be NULL only where a system is given.
 * Return ACTOR_OK, ACTOR_FULL or ACTOR_GONE. */
int actor_tell(struct actor *self, const char *to, struct msg *m);
int actor_tell_control(struct actor *self, const char *to, struct msg *m);

/* As actor_tell, to an actor from actor_find: without the look-up by name. */
int actor_tell_to(struct actor *self, struct actor *to, struct msg *m);

/* NULL when there is none of that name; else valid as long as the system. */
struct actor *actor_find(struct actor_system *system, const char *name);

/* `reply` is borrowed for the call and NULL unless `status` is ACTOR_OK. */
typedef void (*actor_reply_fn)(struct actor *self, void *context, int status, const struct msg *reply);

/* Sends `m` (taken) and calls `on_reply` exactly once, never before actor_ask has returned. */
void actor_ask(struct actor *self, const char *to, struct msg *m, uint64_t timeout_ms, actor_reply_fn on_reply,
               void *context);
void actor_ask_to(struct actor *self, struct actor *to, struct msg *m, uint64_t timeout_ms, actor_reply_fn on_reply,
                  void *context);

/* Answers the message that is being received. Takes `reply`. The reply to a tell is dropped. */
void actor_reply(struct actor *self, struct msg *reply);

/* The actor that sent the message being received, for comparisons only; NULL: it came from outside the actors. */
const struct actor *actor_sender(const struct actor *self);

/* For an answer later: returns a token for one call of actor_answer or actor_answer_error; 0 for a tell. Answering an
 * ask that has ended meanwhile (deadline, asker failed) does nothing. */
typedef uint64_t actor_token;
actor_token actor_defer(struct actor *self);
void actor_answer(struct actor *self, actor_token token, struct msg *reply);
void actor_answer_error(struct actor *self, actor_token token, int status);
/* Whether the ask of this token has not ended. */
bool actor_awaited(struct actor *self, actor_token token);

/* Calls ops->timer(self, timer_id) once, `delay_ms` from now. */
void actor_after(struct actor *self, uint64_t delay_ms, uint32_t timer_id);
void actor_cancel(struct actor *self, uint32_t timer_id);

/* Reports that this actor cannot go on: when its callback returns, it is stopped and restarts after a back-off. */
void actor_fail(struct actor *self, const char *why, ...) __attribute__((format(printf, 2, 3)));

#endif
