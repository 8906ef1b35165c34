/* The calls of actor.h that concern one actor only: its fields and its timers. */
#include "core/actor/actor.h"

#include "core/actor/actor_internal.h"
#include "core/base/must.h"

#include <stdlib.h>

const char *actor_status_name(int status)
{
    switch (status) {
    case ACTOR_OK:
        return "ok";
    case ACTOR_FULL:
        return "mailbox full";
    case ACTOR_GONE:
        return "gone";
    case ACTOR_TIMEOUT:
        return "no answer in time";
    case ACTOR_CANCELLED:
        return "cancelled";
    case ACTOR_REFUSED:
        return "message type not accepted";
    default:
        return "failed";
    }
}

void *actor_state(struct actor *self)
{
    return self->state;
}

const void *actor_config(const struct actor *self)
{
    return self->config;
}

const char *actor_name(const struct actor *self)
{
    return self->name;
}

struct actor_system *actor_system_of(const struct actor *self)
{
    return self->system;
}

uint64_t actor_now_ms(const struct actor *self)
{
    return self->system->now_ms;
}

void actor_after(struct actor *self, uint64_t delay_ms, uint32_t timer_id)
{
    struct actor_timer *timer = self->timers;

    while (timer && timer->id != timer_id)
        timer = timer->next;
    if (!timer) {
        timer = calloc(1, sizeof *timer);
        if (!timer)
            out_of_memory();
        timer->node.kind = NODE_TIMER;
        timer->owner = self;
        timer->id = timer_id;
        timer->next = self->timers;
        self->timers = timer;
    }
    timer_heap_remove(&self->system->heap, &timer->node);
    timer->node.due_ms = self->system->now_ms + delay_ms;
    timer_heap_add(&self->system->heap, &timer->node);
}

void actor_cancel(struct actor *self, uint32_t timer_id)
{
    for (struct actor_timer **at = &self->timers; *at; at = &(*at)->next) {
        struct actor_timer *timer = *at;

        if (timer->id != timer_id)
            continue;
        timer_heap_remove(&self->system->heap, &timer->node);
        *at = timer->next;
        free(timer);
        return;
    }
}
