/* The actor system: whoever builds one (cli/serve, a test) makes it, spawns the actors and turns it.
 *
 * It knows nothing of sockets or threads. A driver (driver_uv.h, or a test with a fake clock) calls
 * actor_system_turn() when there is work and sleeps until actor_system_next_due_ms() when there is none.
 * Supervision is a tree of groups: an actor that fails is restarted with back-off; one that fails
 * `max_failures` times within `failure_window_ms` fails its group, which is restarted whole and counts as one failure
 * in the group above; when that happens to a group with no parent the system calls `on_fatal` and is finished.
 */
#ifndef KITH_CORE_ACTOR_SYSTEM_H
#define KITH_CORE_ACTOR_SYSTEM_H

#include "core/actor/actor.h"

struct actor_group;

struct actor_system_options {
    uint64_t (*now_ns)(void *context); /* monotonic */
    void *clock_context;
    /* Called from any thread when actor_post has put something in: make the driver turn soon. May be NULL. */
    void (*wake)(void *context);
    void *wake_context;
    /* One line for the log: a restart, an escalation. May be NULL. */
    void (*on_event)(void *context, const char *actor, const char *text);
    /* The tree gave up. `text` is one line that says who failed, how often and why last. */
    void (*on_fatal)(void *context, const char *text);
    /* At the end of each turn, before the driver may sleep: the place to write out what was held. May be NULL. */
    void (*after_turn)(void *context);
    void *event_context;
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

enum actor_strategy {
    ACTOR_ONE_FOR_ONE, /* only the failed one is restarted */
    ACTOR_REST_FOR_ONE /* and those of its group that were spawned after it */
};

/* `parent` NULL makes a root. Owned by the system. */
struct actor_group *actor_group_new(struct actor_system *system, const char *name, struct actor_group *parent,
                                    enum actor_strategy strategy);

struct actor_spec {
    const char *name; /* copied */
    const struct actor_ops *ops;
    const void *config;        /* borrowed for the life of the system */
    struct actor_group *group; /* NULL: the system's own root */
    uint32_t mailbox_max;      /* default 1,024 */
    size_t mailbox_max_bytes;  /* default 16 MiB */
};

/* Makes the actor and starts it at the next turn. Returns NULL when the name is taken. */
struct actor *actor_spawn(struct actor_system *system, const struct actor_spec *spec);

/* From outside the actors, on the loop thread. Takes `m`. */
int actor_system_tell(struct actor_system *system, const char *to, struct msg *m);

/* How messages get to other nodes. Whoever has a way there (a bus) sets this once; without it every address with "@"
 * is ACTOR_GONE. */
struct actor_remote {
    /* Takes `m`. `ask` is 0 for a tell; else the answer goes to actor_system_end_ask, within `timeout_ms` or not at
     * all. Returns ACTOR_OK when it is on its way, else why not. What it finds to be meant for this node it gives to
     * actor_system_deliver. */
    int (*send)(void *context, struct actor *sender, const char *to, struct msg *m, uint64_t ask, uint64_t timeout_ms);
    /* In test builds: what a message would be had it come from another node; takes `m`, returns it or another. NULL:
     * local messages go as they are. */
    struct msg *(*as_if_remote)(struct msg *m);
    void *context;
};
void actor_system_set_remote(struct actor_system *system, const struct actor_remote *remote);

/* For a remote: to this node's actor `name`, as if the sender had meant it. Takes `m`. */
int actor_system_deliver(struct actor_system *system, struct actor *sender, const char *name, struct msg *m,
                         uint64_t ask);
/* For a remote: the ending of an ask that it sent. Takes `reply` (NULL unless `status` is ACTOR_OK). One that has ended
 * already is left alone. */
void actor_system_end_ask(struct actor_system *system, uint64_t ask, int status, struct msg *reply);
bool actor_system_ask_waits(const struct actor_system *system, uint64_t ask);

/* The only call for other threads: puts `m` (taken) into the mailbox of `to` at the next turn, past the limits, for
 * what the loop itself is waiting for (a finished query, a finished computation). */
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
    uint64_t handled, refused, misrouted, restarts, handling_ns;
    bool running;
};

/* One call for each actor, in the order they were spawned. */
void actor_system_each(const struct actor_system *system, void (*each)(void *context, const struct actor_stats *stats),
                       void *context);

/* Asks that wait for their ending now. */
uint32_t actor_system_asks(const struct actor_system *system);

#endif
