/* Asks: a table of slots, one for each ask that has not ended.
 *
 * An ask ends exactly once, by the first of: the reply or refusal in the asker's mailbox; its deadline; the failure of
 * the asked actor after it received the message; the failure of the asker. The end frees the slot and increments its
 * generation, so later endings do not find the ask.
 */
#include "core/actor/actor_internal.h"

#include "core/base/must.h"

#include <assert.h>
#include <stdlib.h>

static uint32_t ask_slot_of(uint64_t id)
{
    return (uint32_t)id;
}

static void ask_grow_table(struct actor_system *system)
{
    uint32_t slots = system->ask_slots ? system->ask_slots * 2 : 64;
    struct ask **asks = realloc(system->asks, slots * sizeof *asks);

    if (!asks)
        out_of_memory();
    system->asks = asks;
    for (uint32_t i = slots; i-- > system->ask_slots;) {
        struct ask *ask = calloc(1, sizeof *ask);

        if (!ask)
            out_of_memory();
        ask->node.kind = NODE_ASK;
        ask->id = (uint64_t)1 << 32 | i;
        ask->next_free = system->ask_free;
        system->ask_free = i + 1;
        asks[i] = ask;
    }
    system->ask_slots = slots;
}

static struct ask *ask_new(struct actor *asker, struct actor *to, actor_reply_fn on_reply, void *context)
{
    struct actor_system *system = asker->system;
    struct ask *ask;

    if (system->ask_free == 0)
        ask_grow_table(system);
    ask = system->asks[system->ask_free - 1];
    system->ask_free = ask->next_free;
    system->ask_count++;
    ask->asker = asker;
    ask->to = to;
    ask->on_reply = on_reply;
    ask->context = context;
    ask->received = false;
    return ask;
}

struct ask *ask_find(const struct actor_system *system, uint64_t id)
{
    struct ask *ask;

    if (id == 0 || ask_slot_of(id) >= system->ask_slots)
        return NULL;
    ask = system->asks[ask_slot_of(id)];
    return ask->id == id && ask->asker ? ask : NULL;
}

/* Frees the slot before the callback, which may ask again. */
static void ask_end(struct ask *ask, int status, const struct msg *reply)
{
    struct actor *asker = ask->asker;
    struct actor_system *system = asker->system;
    actor_reply_fn on_reply = ask->on_reply;
    void *context = ask->context;
    struct cancel *cancel = ask->cancel, *outer = system->cancel;

    timer_heap_remove(&system->heap, &ask->node);
    ask->asker = NULL;
    ask->id += (uint64_t)1 << 32;
    if (ask->id >> 32 == 0)
        ask->id |= (uint64_t)1 << 32;
    ask->next_free = system->ask_free;
    system->ask_free = ask_slot_of(ask->id) + 1;
    system->ask_count--;
    ask->cancel = NULL;
    system->cancel = cancel;
    on_reply(asker, context, status, status == ACTOR_OK ? reply : NULL);
    system->cancel = outer;
    cancel_unref(cancel);
}

void ask_send_ending(struct ask *ask, int status, struct msg *reply)
{
    struct envelope e = {.msg = reply, .sender = ask->to, .ask_id = ask->id, .status = status, .lane = MAIL_REPLY};

    if (system_deliver(ask->asker, &e) != ACTOR_OK)
        msg_unref(reply);
}

void actor_ask_to(struct actor *self, struct actor *to, struct msg *m, uint64_t timeout_ms, actor_reply_fn on_reply,
                  void *context)
{
    struct actor_system *system = self->system;
    struct ask *ask;
    int status = ACTOR_GONE;

    if (self->run != RUN_RUNNING) { /* it is being stopped: no later turn can call it back */
        msg_unref(m);
        on_reply(self, context, ACTOR_GONE, NULL);
        return;
    }
    m = system_pass(system, m);
    if (!m->cancel && m->refs == 1) /* a shared message was sent before: it must not change */
        m->cancel = cancel_ref(system->cancel);
    ask = ask_new(self, to, on_reply, context);
    ask->cancel = cancel_ref(m->cancel);
    ask->node.due_ms = system->now_ms + timeout_ms;
    timer_heap_add(&system->heap, &ask->node);
    if (system->ask_count > system->o.max_asks) {
        status = ACTOR_FULL;
    } else if (to) {
        struct envelope e = {.msg = m, .sender = self, .ask_id = ask->id, .lane = MAIL_NORMAL};

        status = system_deliver(to, &e);
    }
    if (status == ACTOR_OK)
        return;
    msg_unref(m);
    ask_send_ending(ask, status, NULL);
}

static void ask_remote(struct actor *self, const char *to, struct msg *m, uint64_t timeout_ms, actor_reply_fn on_reply,
                       void *context)
{
    struct actor_system *system = self->system;
    struct ask *ask = ask_new(self, NULL, on_reply, context);
    uint64_t id = ask->id;
    int status = ACTOR_FULL;

    ask->cancel = cancel_ref(system->cancel);
    ask->node.due_ms = system->now_ms + timeout_ms;
    timer_heap_add(&system->heap, &ask->node);
    if (system->ask_count <= system->o.max_asks)
        status = system_send(self, to, m, id, timeout_ms);
    else
        msg_unref(m);
    if (status != ACTOR_OK)
        ask_send_ending(ask, status, NULL);
}

void actor_ask(struct actor *self, const char *to, struct msg *m, uint64_t timeout_ms, actor_reply_fn on_reply,
               void *context)
{
    if (self->run == RUN_RUNNING && system_is_remote(to))
        ask_remote(self, to, m, timeout_ms, on_reply, context);
    else
        actor_ask_to(self, actor_find(self->system, to), m, timeout_ms, on_reply, context);
}

const struct actor *actor_sender(const struct actor *self)
{
    return self->current_sender;
}

actor_token actor_defer(struct actor *self)
{
    actor_token token = self->current_ask;

    self->current_ask = 0;
    return token;
}

void actor_answer(struct actor *self, actor_token token, struct msg *reply)
{
    struct ask *ask = ask_find(self->system, token);

    if (ask)
        ask_send_ending(ask, ACTOR_OK, system_pass(self->system, reply));
    else
        msg_unref(reply);
}

void actor_answer_error(struct actor *self, actor_token token, int status)
{
    struct ask *ask = ask_find(self->system, token);

    assert(status != ACTOR_OK);
    if (ask)
        ask_send_ending(ask, status, NULL);
}

bool actor_awaited(struct actor *self, actor_token token)
{
    return ask_find(self->system, token) != NULL;
}

void actor_reply(struct actor *self, struct msg *reply)
{
    actor_answer(self, actor_defer(self), reply);
}

void ask_due(struct ask *ask)
{
    ask_end(ask, ACTOR_TIMEOUT, NULL);
}

void ask_finish_reply(struct actor *self, const struct envelope *e)
{
    struct ask *ask = ask_find(self->system, e->ask_id);

    if (ask)
        ask_end(ask, e->status, e->msg);
}

/* `actor` failed. Its own asks end now, while its state still exists. The asks that it received end in the askers'
 * mailboxes. */
void asks_of_failed(struct actor *actor)
{
    struct actor_system *system = actor->system;

    for (uint32_t i = 0; i < system->ask_slots; i++) {
        struct ask *ask = system->asks[i];

        if (ask->asker == actor)
            ask_end(ask, ACTOR_GONE, NULL);
        else if (ask->asker && ask->to == actor && ask->received)
            ask_send_ending(ask, ACTOR_FAILED, NULL);
    }
}

void asks_free(struct actor_system *system)
{
    for (uint32_t i = 0; i < system->ask_slots; i++) {
        cancel_unref(system->asks[i]->cancel);
        free(system->asks[i]);
    }
    free(system->asks);
}
