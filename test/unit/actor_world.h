/* An actor system on a fake clock, with actors that record what reaches them. */
#ifndef KITH_TEST_ACTOR_WORLD_H
#define KITH_TEST_ACTOR_WORLD_H

#include "core/actor/system.h"
#include "test/unit/fake_clock.h"
#include "test/unit/test.h"

#include <stdio.h>
#include <string.h>

enum { MSG_ADD = 1, MSG_ECHO, MSG_LATER, MSG_FAIL, MSG_GO, MSG_SELF, MSG_JOB, MSG_SLOW };

struct number {
    struct msg head;
    int value;
};

static inline struct msg *number(uint32_t type, int value)
{
    struct number *m = (struct number *)msg_new(type, sizeof *m);

    m->value = value;
    return &m->head;
}

/* What the actors under test record. */
static struct {
    int sum, count, order[64], stops, starts, endings, last_status, last_value, fatals, events, timers;
    actor_token token;
    char fatal[256], slow[8][64]; /* slow: "ACTOR CALLBACK ID TOOK_MS" */
    int slows;
} seen;

static struct fake_clock fake;

static inline void on_fatal(void *context, const char *text)
{
    (void)context;
    seen.fatals++;
    strncpy(seen.fatal, text, sizeof seen.fatal - 1);
}

static inline void on_event(void *context, const char *actor, const char *text)
{
    (void)context, (void)actor, (void)text;
    seen.events++;
}

static inline void on_slow(void *context, const struct actor_slow *slow)
{
    (void)context;
    assert_true(seen.slows < 8);
    snprintf(seen.slow[seen.slows++], sizeof seen.slow[0], "%s %s %u %d in %u", slow->actor, slow->callback, slow->id,
             (int)slow->took_ms, slow->count);
}

static inline struct actor_system *new_system(void)
{
    struct actor_system_options o = {.now_ns = fake_clock_now,
                                     .clock_context = &fake,
                                     .on_fatal = on_fatal,
                                     .on_event = on_event,
                                     .on_slow = on_slow,
                                     .slow_callback_ms = 100};

    memset(&seen, 0, sizeof seen);
    fake.ns = 1000000000;
    return actor_system_new(&o);
}

static inline void settle(struct actor_system *system)
{
    while (actor_system_turn(system))
        ;
}

static inline void settle_after(struct actor_system *system, uint64_t ms)
{
    fake_clock_advance_ms(&fake, ms);
    settle(system);
}

static inline int worker_start(struct actor *self)
{
    (void)self;
    seen.starts++;
    return 0;
}

static inline void worker_stop(struct actor *self)
{
    (void)self;
    seen.stops++;
}

static inline void worker_receive(struct actor *self, const struct msg *m)
{
    const struct number *n = (const struct number *)m;

    switch (m->type) {
    case MSG_ADD:
        seen.sum += n->value;
        if (seen.count < 64)
            seen.order[seen.count] = n->value;
        seen.count++;
        break;
    case MSG_ECHO:
        actor_reply(self, number(MSG_ECHO, n->value + 1));
        break;
    case MSG_LATER:
        seen.token = actor_defer(self);
        break;
    case MSG_FAIL:
        actor_fail(self, "told to");
        break;
    case MSG_SLOW:
        fake_clock_advance_ms(&fake, (uint64_t)n->value);
        break;
    case MSG_JOB:
        seen.last_value = n->value;
        break;
    }
}

static inline void worker_timer(struct actor *self, uint32_t id)
{
    (void)self;
    seen.timers += (int)id;
    if (id >= 1000)
        fake_clock_advance_ms(&fake, id);
}

static const struct actor_ops worker = {.name = "worker",
                                        .state_size = 64,
                                        .start = worker_start,
                                        .receive = worker_receive,
                                        .timer = worker_timer,
                                        .stop = worker_stop};

static inline void on_reply(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self, (void)context;
    seen.endings++;
    seen.last_status = status;
    seen.last_value = reply ? ((const struct number *)reply)->value : -1;
    assert_true((status == ACTOR_OK) == (reply != NULL));
}

/* Asks "worker" what it is told to ask: the type to send is the value. */
static inline void asker_receive(struct actor *self, const struct msg *m)
{
    if (m->type == MSG_GO)
        actor_ask(self, "worker", number((uint32_t)((const struct number *)m)->value, 41), 100, on_reply, NULL);
    if (m->type == MSG_SELF)
        actor_fail(self, "on purpose");
}

static const struct actor_ops asker = {.name = "asker", .receive = asker_receive};

static inline struct actor *spawn(struct actor_system *s, const char *name, const struct actor_ops *ops)
{
    struct actor_spec spec = {.name = name, .ops = ops, .mailbox_max = 4, .mailbox_max_bytes = 1 << 20};

    return actor_spawn(s, &spec);
}

static inline void count_actor(void *context, const struct actor_stats *stats)
{
    struct actor_stats *out = context;

    if (strcmp(stats->name, "worker") == 0)
        *out = *stats;
}

static inline void ask_for(struct actor_system *s, int type)
{
    assert_int_equal(actor_system_tell(s, "asker", number(MSG_GO, type)), ACTOR_OK);
    settle(s);
}

#endif
