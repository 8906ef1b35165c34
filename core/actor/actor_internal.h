/* Shared by the files of core/actor; no other file includes it. */
#ifndef KITH_CORE_ACTOR_ACTOR_INTERNAL_H
#define KITH_CORE_ACTOR_ACTOR_INTERNAL_H

#include "core/actor/mailbox.h"
#include "core/actor/system.h"
#include "core/actor/timer_heap.h"
#include "core/base/must.h"

#include <pthread.h>
#include <uthash.h>

enum { NODE_TIMER = 1, NODE_ASK, NODE_RESTART };
enum { FAILURES_REMEMBERED = 16, CONTROL_ROOM = 64 };

struct actor_timer {
    struct timer_node node; /* first: a node is cast back to its timer */
    struct actor *owner;
    uint32_t id;
    struct actor_timer *next;
};

struct ask {
    struct timer_node node; /* first, as above */
    uint64_t id;            /* slot in the low 32 bits, generation above: 0 is never an id */
    struct actor *asker, *to;
    actor_reply_fn on_reply;
    void *context;
    struct cancel *cancel; /* of the message, or NULL */
    bool received;         /* the asked actor has taken it from its mailbox */
    uint32_t next_free;
};

struct failures {
    uint64_t at_ms[FAILURES_REMEMBERED];
    uint32_t count; /* of entries, the oldest first */
};

enum actor_run { RUN_WAITING, RUN_RUNNING, RUN_STOPPED };

struct actor {
    struct actor_system *system;
    char *name;
    const struct actor_ops *ops;
    const void *config;
    void *state;
    struct mailbox box;
    enum actor_run run;
    bool queued;  /* it is in the system's ready list */
    bool failing; /* actor_fail was called during this message */
    char why[160];
    struct actor *current_sender; /* of the message being received */
    uint64_t current_ask;         /* of the message being received; 0 once answered or deferred */
    struct actor_timer *timers;
    struct timer_node restart;
    struct failures failures;
    struct actor *ready_next, *spawn_next, *spawn_prev;
    uint64_t handled, refused, misrouted, cancelled, slow, restarts, handling_ns;
    UT_hash_handle hh;
};

struct posted {
    struct actor *to;
    struct msg *msg;
};

struct actor_system {
    struct actor_system_options o;
    struct actor_remote remote;
    struct actor *by_name;
    struct actor *spawn_first, *spawn_last;
    struct actor *ready_first, *ready_last;
    struct timer_heap heap;
    uint64_t now_ms;       /* of the turn */
    uint64_t last_ns;      /* when time was last accounted to an actor */
    uint64_t last_look_ns; /* when the last callback ended */
    struct cancel *cancel; /* borrowed, of the work that the running callback belongs to; NULL: none */
    struct ask **asks;
    uint32_t ask_slots, ask_free, ask_count; /* ask_free: slot + 1 */
    bool finished;
    pthread_mutex_t post_lock;
    struct posted *posted; /* under post_lock, as the two below */
    uint32_t posted_count, posted_capacity;
};

struct msg *system_pass_encoded(const struct actor_system *system, struct msg *m);
/* The form in which a local message is delivered: in test builds encoded and decoded. Takes `m`, returns owned. */
static inline struct msg *system_pass(const struct actor_system *system, struct msg *m)
{
    return system->remote.as_if_remote && m ? system_pass_encoded(system, m) : m;
}

uint64_t system_clock_ns(const struct actor_system *system);
uint64_t system_coarse_ns(const struct actor_system *system);
bool system_is_remote(const char *address);
/* Takes `m`. */
int system_send(struct actor *sender, const char *to, struct msg *m, uint64_t ask, uint64_t timeout_ms);
/* Delivers what actor_post was given. Returns whether there was something. */
bool system_take_posted(struct actor_system *system);

static inline void system_make_ready(struct actor *actor)
{
    struct actor_system *system = actor->system;

    if (actor->queued)
        return;
    actor->queued = true;
    actor->ready_next = NULL;
    if (system->ready_last)
        system->ready_last->ready_next = actor;
    else
        system->ready_first = actor;
    system->ready_last = actor;
}

/* Leaves the message to the caller unless it returns ACTOR_OK. */
static inline int system_deliver(struct actor *to, const struct envelope *e)
{
    if (to->run == RUN_STOPPED)
        return ACTOR_GONE;
    if (!mailbox_push(&to->box, e)) {
        to->refused++;
        return ACTOR_FULL;
    }
    if (to->run == RUN_RUNNING)
        system_make_ready(to);
    return ACTOR_OK;
}

/* ask.c */
struct ask *ask_find(const struct actor_system *system, uint64_t id);
void ask_due(struct ask *ask);
/* Takes `reply`. */
void ask_send_ending(struct ask *ask, int status, struct msg *reply);
void ask_finish_reply(struct actor *self, const struct envelope *e);
void asks_of_failed(struct actor *actor);
void asks_free(struct actor_system *system);

/* supervise.c */
void supervise_failed(struct actor *actor);
void supervise_stop(struct actor *actor);
void supervise_restart_due(struct actor *actor);

#endif
