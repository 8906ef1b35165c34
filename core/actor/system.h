/* The actor system: cli/serve or a test makes it, spawns the actors and turns it.
 *
 * It knows nothing of sockets or threads. A driver (driver_uv.h, or a test with a fake clock) calls
 * actor_system_turn() while there is work and sleeps until actor_system_next_due_ms() while there is none.
 *
 * Supervision: an actor that fails restarts alone, after a back-off and with a fresh state. Its name and mailbox stay,
 * its asks end. An actor that fails `max_failures` times within `failure_window_ms` ends the node: the system calls
 * `on_fatal` and runs no more callbacks.
 *
 * Loop thread only, except actor_post.
 */
#ifndef KITH_CORE_ACTOR_SYSTEM_H
#define KITH_CORE_ACTOR_SYSTEM_H

#include "core/actor/actor.h"

/* Callbacks that took longer than slow_callback_ms: one, or a few messages of one type in a row. */
struct actor_slow {
    const char *actor, *callback; /* callback: "message", "reply", "timer", "start" or "stop" */
    uint32_t id;                  /* the message type or the timer id; else 0 */
    uint32_t count;               /* callbacks */
    uint64_t took_ms, now_ms;
};

struct actor_system_options {
    uint64_t (*now_ns)(void *context);    /* monotonic */
    uint64_t (*coarse_ns)(void *context); /* the same clock, to a few milliseconds and cheaper; NULL: now_ns */
    void *clock_context;
    /* Called from any thread when actor_post has put something in: make the driver turn soon. May be NULL. */
    void (*wake)(void *context);
    void *wake_context;
    /* One line for the log about a failure and its restart. May be NULL. */
    void (*on_event)(void *context, const char *actor, const char *text);
    /* An actor failed too often. `text` is one line: which actor, how often and the last reason. */
    void (*on_fatal)(void *context, const char *text);
    /* At the end of each turn, before the driver may sleep: to write out what was buffered. May be NULL. */
    void (*after_turn)(void *context);
    /* A callback was slow: it has returned. May be NULL. */
    void (*on_slow)(void *context, const struct actor_slow *slow);
    void *event_context;
    uint64_t slow_callback_ms;  /* default 0: callbacks are not watched */
    uint32_t max_failures;      /* default 5 */
    uint64_t failure_window_ms; /* default 30,000 */
    uint64_t backoff_min_ms;    /* default 100; doubles with each failure in the window */
    uint64_t backoff_max_ms;    /* default 5,000 */
    uint32_t max_asks;          /* asks waiting at once in the whole system; default 262,144 */
    uint32_t turn_messages;     /* budget of one turn; default 4,096 */
    uint64_t turn_ns;           /* and its time budget; default 2 ms */
};

/* `options` is copied. */
struct actor_system *actor_system_new(const struct actor_system_options *options);

/* Stops every actor, the last spawned first, ends every ask, frees everything. */
void actor_system_free(struct actor_system *system);

struct actor_spec {
    const char *name; /* copied */
    const struct actor_ops *ops;
    const void *config;       /* borrowed for the life of the system */
    uint32_t mailbox_max;     /* default 1,024 */
    size_t mailbox_max_bytes; /* default 16 MiB */
};

/* Makes the actor and starts it at the next turn. Returns NULL when the name is taken. */
struct actor *actor_spawn(struct actor_system *system, const struct actor_spec *spec);

/* Makes the actor `name` fail as actor_fail does, with the text `why`: before its next callback it is stopped, and it
 * restarts after the back-off. ACTOR_OK, or ACTOR_GONE when it does not exist or does not run now. */
int actor_system_fail(struct actor_system *system, const char *name, const char *why);

/* Sends from outside the actors, on the loop thread. Takes `m`. */
int actor_system_tell(struct actor_system *system, const char *to, struct msg *m);

/* Transport of messages to other nodes, set once. Without it every address with "@" is ACTOR_GONE. */
struct actor_remote {
    /* Takes `m`. `ask` is 0 for a tell; else the answer goes to actor_system_end_ask, within `timeout_ms` or not at
     * all. Returns ACTOR_OK when it is on its way, else why not. What it finds to be meant for this node it gives to
     * actor_system_deliver. */
    int (*send)(void *context, struct actor *sender, const char *to, struct msg *m, uint64_t ask, uint64_t timeout_ms);
    /* In test builds: encodes and decodes a local message as if another node had sent it. Takes `m`, returns owned.
     * NULL: local messages are delivered as they are. */
    struct msg *(*as_if_remote)(struct msg *m);
    void *context;
};
void actor_system_set_remote(struct actor_system *system, const struct actor_remote *remote);

/* For a remote: delivers `m` (taken) to this node's actor `name`. */
int actor_system_deliver(struct actor_system *system, struct actor *sender, const char *name, struct msg *m,
                         uint64_t ask);
/* For a remote: the ending of an ask that it sent. Takes `reply` (NULL unless `status` is ACTOR_OK). One that has ended
 * already is left alone. */
void actor_system_end_ask(struct actor_system *system, uint64_t ask, int status, struct msg *reply);
bool actor_system_ask_waits(const struct actor_system *system, uint64_t ask);

/* The only call for other threads: puts `m` (taken) into the mailbox of `to` at the next turn. The mailbox's limits do
 * not apply: it is for results that the actor waits for. */
void actor_post(struct actor_system *system, struct actor *to, struct msg *m);

/* Timers that are due, what other threads posted, then mailboxes within the budget. Returns true when there is more
 * to do at once. */
bool actor_system_turn(struct actor_system *system);

/* When the next timer or deadline is due, on the system's clock; UINT64_MAX when none is. */
uint64_t actor_system_next_due_ms(const struct actor_system *system);

struct actor_stats {
    const char *name;
    uint32_t depth;
    size_t depth_bytes;
    uint64_t handled, refused, misrouted, cancelled, slow, restarts, handling_ns;
    bool running;
};

/* One call for each actor, in the order they were spawned. */
void actor_system_each(const struct actor_system *system, void (*each)(void *context, const struct actor_stats *stats),
                       void *context);

/* Asks that wait for their ending now. */
uint32_t actor_system_asks(const struct actor_system *system);

#endif
