/* Takes images from the table through recognition and writes the results back.
 *
 *   claims.c ──claimed──▶ jobs.c: recogniser ─▶ gallery ─▶ store ──ended──▶ claims.c
 *                            └─ leases.c renews the lease meanwhile
 *
 * Nothing is claimed before the leases of dead processes have ended, while the breaker is not closed, and at shutdown.
 */
#include "actors/pipeline/processor.h"

#include "actors/pipeline/leases.h"
#include "actors/pipeline/processor_internal.h"

#include <stdlib.h>

bool processor_may_claim(const struct processor *p)
{
    return p->breaker_closed && p->leases_reaped && !p->stopping;
}

void processor_on_job_ended(struct actor *self)
{
    struct processor *p = actor_state(self);

    if (p->stopping && p->jobs.count == 0) {
        actor_answer(self, p->stop_token, msg_new(MSG_STOPPED, sizeof(struct msg)));
        p->stop_token = 0;
    }
    claims_try(self);
}

static void processor_on_stopping(struct actor *self)
{
    struct processor *p = actor_state(self);

    p->stopping = true;
    claims_tell_capacity(self);
    if (p->jobs.count == 0)
        actor_reply(self, msg_new(MSG_STOPPED, sizeof(struct msg)));
    else
        p->stop_token = actor_defer(self);
}

/* The jitter keeps the polls of several nodes apart. */
static void processor_set_poll_timer(struct actor *self)
{
    const struct processor_config *config = actor_config(self);
    uint64_t jitter_ms = (uint64_t)random() % (config->poll_ms / 2 + 1);

    actor_after(self, config->poll_ms * 3 / 4 + jitter_ms, TIMER_POLL);
}

static int processor_start(struct actor *self)
{
    struct processor *p = actor_state(self);

    jobs_register_metrics();
    p->breaker_closed = true; /* until it tells otherwise */
    processor_set_poll_timer(self);
    msg_tell(self, "recognizer", MSG_SEND_STATE); /* after a restart their states are not known */
    msg_tell(self, "breaker", MSG_SEND_STATE);
    msg_tell(self, "cluster", MSG_SEND_STATE);
    leases_start(self);
    return 0;
}

static void processor_receive(struct actor *self, const struct msg *m)
{
    struct processor *p = actor_state(self);

    switch (m->type) {
    case MSG_WORK_ITEM:
        claims_on_work_item(self, (const struct msg_work_item *)m);
        break;
    case MSG_WORK_ITEMS:
    case MSG_NUDGE:
        claims_try_due(self);
        break;
    case MSG_CAPACITY:
        claims_on_capacity(self, (const struct msg_capacity *)m);
        break;
    case MSG_BREAKER:
        p->breaker_closed = ((const struct msg_breaker *)m)->state == BREAKER_CLOSED;
        claims_try_due(self);
        break;
    case MSG_SEND_STATE:
        p->claims.told_capacity = 0; /* a work queue that has started assumes none */
        claims_tell_capacity(self);
        break;
    case MSG_STOPPING:
        processor_on_stopping(self);
        break;
    }
}

static void processor_timer(struct actor *self, uint32_t timer)
{
    switch (timer) {
    case TIMER_POLL:
        processor_set_poll_timer(self);
        claims_try_due(self);
        break;
    case TIMER_DUE:
        claims_try_due(self);
        break;
    case TIMER_RENEW:
        leases_renew(self);
        break;
    case TIMER_REAP:
        leases_reap(self);
        break;
    default:
        jobs_on_timer(self, timer);
        break;
    }
}

/* A fresh state follows. Nobody renews the leases of the jobs that were running: they end, and the images are claimed
 * again. */
static void processor_stop(struct actor *self)
{
    jobs_stop(self);
}

static const uint32_t processor_accepts[] = {MSG_WORK_ITEM, MSG_WORK_ITEMS, MSG_NUDGE,    MSG_CAPACITY,
                                             MSG_BREAKER,   MSG_SEND_STATE, MSG_STOPPING, 0};

const struct actor_ops processor_actor = {
    .name = "processor",
    .state_size = sizeof(struct processor),
    .start = processor_start,
    .accepts = processor_accepts,
    .receive = processor_receive,
    .timer = processor_timer,
    .stop = processor_stop,
};
