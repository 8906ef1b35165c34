/* Supervision: start, fail, back off, restart, give up. */
#include "core/actor/actor_internal.h"

#include "core/base/must.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Notes a failure at `now_ms` and returns how many lie within the window. */
static uint32_t supervise_note_failure(struct failures *f, uint64_t now_ms, uint64_t window_ms)
{
    uint32_t old = 0;

    while (old < f->count && f->at_ms[old] + window_ms < now_ms)
        old++;
    if (old == 0 && f->count == FAILURES_REMEMBERED)
        old = 1;
    memmove(f->at_ms, f->at_ms + old, (f->count - old) * sizeof f->at_ms[0]);
    f->count -= old;
    f->at_ms[f->count++] = now_ms;
    return f->count;
}

static void supervise_clear_timers(struct actor *actor)
{
    while (actor->timers) {
        struct actor_timer *t = actor->timers;

        actor->timers = t->next;
        timer_heap_remove(&actor->system->heap, &t->node);
        free(t);
    }
    timer_heap_remove(&actor->system->heap, &actor->restart);
}

/* Ends one life of the actor; its name and its mailbox stay. */
void supervise_stop(struct actor *actor)
{
    if (actor->run != RUN_RUNNING)
        return;
    actor->run = RUN_WAITING;
    asks_of_failed(actor);
    supervise_clear_timers(actor);
    if (actor->ops->stop)
        actor->ops->stop(actor);
    free(actor->state);
    actor->state = NULL;
    actor->failing = false;
}

static void supervise_restart_later(struct actor *actor, uint64_t delay_ms)
{
    timer_heap_remove(&actor->system->heap, &actor->restart);
    actor->restart.due_ms = actor->system->now_ms + delay_ms;
    timer_heap_add(&actor->system->heap, &actor->restart);
}

static uint64_t supervise_backoff_ms(const struct actor_system *system, uint32_t failures)
{
    uint64_t ms = system->o.backoff_min_ms;

    for (uint32_t i = 1; i < failures && ms < system->o.backoff_max_ms; i++)
        ms *= 2;
    return ms < system->o.backoff_max_ms ? ms : system->o.backoff_max_ms;
}

static void supervise_give_up(const struct actor *actor)
{
    struct actor_system *system = actor->system;
    char text[320];

    snprintf(text, sizeof text, "actor %s failed %u times in %llu s, last: %s", actor->name, system->o.max_failures,
             (unsigned long long)(system->o.failure_window_ms / 1000), actor->why);
    system->finished = true;
    if (system->o.on_fatal)
        system->o.on_fatal(system->o.event_context, text);
}

void supervise_failed(struct actor *actor)
{
    struct actor_system *system = actor->system;
    uint32_t count = supervise_note_failure(&actor->failures, system->now_ms, system->o.failure_window_ms);
    uint64_t delay_ms = supervise_backoff_ms(system, count);
    char text[256];

    supervise_stop(actor);
    if (count >= system->o.max_failures) {
        supervise_give_up(actor);
        return;
    }
    snprintf(text, sizeof text, "failed (%u of %u), restarts in %llu ms: %s", count, system->o.max_failures,
             (unsigned long long)delay_ms, actor->why);
    if (system->o.on_event)
        system->o.on_event(system->o.event_context, actor->name, text);
    supervise_restart_later(actor, delay_ms);
}

static void supervise_start(struct actor *actor)
{
    int status = 0;

    assert(actor->run == RUN_WAITING);
    actor->state = calloc(1, actor->ops->state_size ? actor->ops->state_size : 1);
    if (!actor->state)
        out_of_memory();
    actor->failing = false;
    actor->run = RUN_RUNNING;
    actor->why[0] = 0;
    if (actor->ops->start)
        status = actor->ops->start(actor);
    if (status < 0 && !actor->failing)
        actor_fail(actor, "start returned %d", status);
    if (actor->failing)
        supervise_failed(actor);
    else if (actor->box.count)
        system_make_ready(actor);
}

void supervise_restart_due(struct actor *actor)
{
    actor->restarts++;
    supervise_start(actor);
}

void actor_fail(struct actor *self, const char *why, ...)
{
    va_list args;

    va_start(args, why);
    vsnprintf(self->why, sizeof self->why, why, args);
    va_end(args);
    self->failing = true;
    if (self->run == RUN_RUNNING) /* also when no callback of it runs now */
        system_make_ready(self);
}

int actor_system_fail(struct actor_system *system, const char *name, const char *why)
{
    struct actor *actor = actor_find(system, name);

    if (!actor || actor->run != RUN_RUNNING)
        return ACTOR_GONE;
    actor_fail(actor, "%s", why);
    return ACTOR_OK;
}
