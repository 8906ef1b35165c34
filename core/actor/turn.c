/* A turn of the system: timers and deadlines that are due, messages of other threads, then mailboxes within the budget.
 * Every callback of an actor runs here and is timed. */
#include "core/actor/actor_internal.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    BATCH = 64,   /* messages one actor handles before the next actor: keeps its code in the cache, and is still fair */
    WATCH_RUN = 8 /* messages of one type that an actor handles in a row between two looks at the clock */
};

/* What an actor has done since the clock was read: the same callback, once or several times in a row. */
struct watched {
    const char *callback;
    uint32_t id, count;
};

/* Reports the time since the last look at the clock when it is above the limit. */
static void turn_check_slow_at(struct actor *actor, const struct watched *w, uint64_t now_ns)
{
    struct actor_system *system = actor->system;
    uint64_t spent_ns, limit_ns = system->o.slow_callback_ms * 1000000;

    if (now_ns <= system->last_look_ns) /* the coarse clock is behind the exact one */
        return;
    spent_ns = now_ns - system->last_look_ns;
    system->last_look_ns = now_ns;
    if (limit_ns == 0 || spent_ns <= limit_ns)
        return;
    actor->slow++;
    if (system->o.on_slow)
        system->o.on_slow(system->o.event_context, &(struct actor_slow){.actor = actor->name,
                                                                        .callback = w->callback,
                                                                        .id = w->id,
                                                                        .count = w->count,
                                                                        .took_ms = spent_ns / 1000000,
                                                                        .now_ms = now_ns / 1000000});
}

/* By the coarse clock, which is exact enough for that. */
static void turn_check_slow(struct actor *actor, const struct watched *w)
{
    if (actor->system->o.slow_callback_ms)
        turn_check_slow_at(actor, w, system_coarse_ns(actor->system));
}

/* Accounts the time since the last account to `actor`: once for all messages that it handled in a row. Returns now. */
static uint64_t turn_account(struct actor *actor)
{
    struct actor_system *system = actor->system;
    uint64_t now_ns = system_clock_ns(system);

    actor->handling_ns += now_ns - system->last_ns;
    return system->last_ns = now_ns;
}

static bool turn_accepts(const struct actor_ops *ops, uint32_t type)
{
    if (!ops->accepts && !ops->accepts_last)
        return true;
    for (const uint32_t *t = ops->accepts; t && *t; t++)
        if (*t == type)
            return true;
    return type >= ops->accepts_first && type <= ops->accepts_last;
}

/* The receiver would cast a message of an unknown type to the wrong struct. */
static void turn_refuse(struct actor *actor, const struct envelope *e)
{
    actor->misrouted++;
#ifdef KITH_DEBUG
    fprintf(stderr, "actor %s: misrouted message of type 0x%x\n", actor->name, e->msg->type);
    abort();
#endif
    if (e->ask_id)
        actor_answer_error(actor, e->ask_id, ACTOR_REFUSED);
}

static void turn_receive(struct actor *actor, const struct envelope *e)
{
    struct actor_system *system = actor->system;
    struct ask *ask = e->ask_id ? ask_find(system, e->ask_id) : NULL;

    if (ask)
        ask->received = true;
    if (!ask && e->ask_id) /* the ask has ended: nobody would get the answer */
        return;
    if (e->msg->skip_cancelled && cancel_is_set(e->msg->cancel)) {
        actor->cancelled++;
        actor_answer_error(actor, e->ask_id, ACTOR_CANCELLED);
        return;
    }
    actor->current_ask = e->ask_id;
    actor->current_sender = e->sender;
    system->cancel = e->msg->cancel;
    actor->ops->receive(actor, e->msg);
    system->cancel = NULL;
    actor->current_ask = 0;
    actor->current_sender = NULL;
}

static void turn_handle(struct actor *actor, struct envelope *e)
{
    const bool reply = e->lane == MAIL_REPLY && e->ask_id;

    actor->handled++;
    if (reply) {
        ask_finish_reply(actor, e);
    } else if (!turn_accepts(actor->ops, e->msg->type)) {
        turn_refuse(actor, e);
    } else {
        turn_receive(actor, e);
    }
    msg_unref(e->msg);
}

static void turn_watch_end(struct actor *actor, struct watched *w)
{
    if (w->count)
        turn_check_slow(actor, w);
    w->count = 0;
}

/* The next message is about to be handled. Messages of one type share a look at the clock: the loop did nothing else
 * meanwhile, so their time together is what counts. */
static void turn_watch_next(struct actor *actor, struct watched *w, const struct envelope *e)
{
    const char *callback = e->lane == MAIL_REPLY && e->ask_id ? "reply" : "message";
    uint32_t id = e->msg ? e->msg->type : 0;

    if (w->count == WATCH_RUN || w->id != id || w->callback != callback)
        turn_watch_end(actor, w);
    w->callback = callback;
    w->id = id;
    w->count++;
}

static void turn_stop_if_failed(struct actor *actor)
{
    if (!actor->failing || actor->run != RUN_RUNNING)
        return;
    supervise_failed(actor);
    turn_check_slow(actor, &(struct watched){"stop", 0, 1});
}

static uint32_t turn_drain(struct actor *actor)
{
    struct watched watched = {0};
    struct envelope e;
    uint32_t n = 0;

    turn_stop_if_failed(actor); /* actor_fail may be called outside of a callback */
    while (n < BATCH && actor->run == RUN_RUNNING && !actor->system->finished && mailbox_pop(&actor->box, &e)) {
        turn_watch_next(actor, &watched, &e);
        turn_handle(actor, &e);
        n++;
        if (actor->failing) {
            turn_watch_end(actor, &watched);
            turn_stop_if_failed(actor);
        }
    }
    if (watched.count)
        turn_check_slow_at(actor, &watched, turn_account(actor));
    else
        turn_account(actor);
    return n;
}

static void turn_timer_due(struct actor_timer *timer)
{
    struct actor *owner = timer->owner;
    uint32_t id = timer->id;

    actor_cancel(owner, id);
    if (owner->ops->timer)
        owner->ops->timer(owner, id);
    turn_check_slow(owner, &(struct watched){"timer", id, 1});
    turn_stop_if_failed(owner);
    turn_account(owner);
}

static void turn_run_due(struct actor_system *system)
{
    struct timer_node *node;

    while (!system->finished && (node = timer_heap_first(&system->heap)) && node->due_ms <= system->now_ms) {
        timer_heap_remove(&system->heap, node);
        switch (node->kind) {
        case NODE_ASK: {
            struct actor *asker = ((struct ask *)node)->asker;

            ask_due((struct ask *)node);
            turn_check_slow(asker, &(struct watched){"reply", 0, 1});
            turn_stop_if_failed(asker);
            turn_account(asker);
            break;
        }
        case NODE_TIMER:
            turn_timer_due((struct actor_timer *)node);
            break;
        default: {
            struct actor *actor = (struct actor *)((char *)node - offsetof(struct actor, restart));

            supervise_restart_due(actor);
            turn_check_slow(actor, &(struct watched){"start", 0, 1});
            turn_account(actor);
        }
        }
    }
}

bool actor_system_turn(struct actor_system *system)
{
    uint64_t start_ns = system_clock_ns(system);
    uint32_t messages = 0;

    system->now_ms = start_ns / 1000000;
    system->last_ns = system_take_posted(system) ? system_clock_ns(system) : start_ns;
    system->last_look_ns = system->last_ns;
    turn_run_due(system);
    while (system->ready_first && !system->finished && messages < system->o.turn_messages &&
           system->last_ns - start_ns < system->o.turn_ns) {
        struct actor *actor = system->ready_first;

        system->ready_first = actor->ready_next;
        if (!system->ready_first)
            system->ready_last = NULL;
        actor->queued = false;
        messages += turn_drain(actor);
        if (actor->box.count && actor->run == RUN_RUNNING)
            system_make_ready(actor);
    }
    if (system->o.after_turn)
        system->o.after_turn(system->o.event_context);
    return system->ready_first != NULL && !system->finished;
}
