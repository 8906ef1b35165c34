#include "actors/pipeline/leases.h"

#include "actors/pipeline/processor_internal.h"

/* Two renewals may fail before a lease ends. */
enum { RENEWALS_PER_LEASE = 3, REAP_RETRY_MS = 500 };

/* A lost lease is found when the finish of its job changes nothing. */
static void leases_on_renewed(struct actor *self, void *context, int status, const struct msg *reply)
{
    (void)self;
    (void)context;
    (void)status;
    (void)reply;
}

void leases_renew(struct actor *self)
{
    const struct processor_config *config = actor_config(self);
    struct processor *p = actor_state(self);
    struct store_renew *m;
    int64_t *ids, *attempts;

    actor_after(self, config->lease_ms / RENEWALS_PER_LEASE, TIMER_RENEW);
    if (p->jobs.count == 0)
        return;
    m = STORE_MESSAGE(STORE_RENEW, store_renew);
    m->ids = ids = arena_alloc(&m->m.arena, p->jobs.count * sizeof *ids);
    m->attempts = attempts = arena_alloc(&m->m.arena, p->jobs.count * sizeof *attempts);
    for (const struct job *job = p->jobs.at; job < p->jobs.at + JOBS_MAX; job++)
        if (job->stage != STAGE_NONE) {
            ids[m->count] = job->id;
            attempts[m->count++] = job->attempt;
        }
    m->lease_ms = (int64_t)config->lease_ms;
    actor_ask(self, "store", &m->m.head, PROCESSOR_STORE_MS, leases_on_renewed, NULL);
}

static void leases_on_reaped(struct actor *self, void *context, int status, const struct msg *reply)
{
    const struct store_reply *r = (const struct store_reply *)reply;
    struct processor *p = actor_state(self);
    bool succeeded = status == ACTOR_OK && r->status == STORE_OK;

    (void)context;
    p->reaped = succeeded && r->more ? r->next : 0;
    if (!succeeded) {
        actor_after(self, REAP_RETRY_MS, TIMER_REAP);
    } else if (r->more) {
        leases_reap(self);
    } else {
        p->leases_reaped = true;
        claims_try_due(self);
    }
}

void leases_reap(struct actor *self)
{
    const struct processor_config *config = actor_config(self);
    const struct processor *p = actor_state(self);
    struct store_reap *m = STORE_MESSAGE(STORE_REAP, store_reap);

    m->after = p->reaped;
    m->not_owner = config->owner;
    m->node = config->node;
    m->max_tries = config->tries;
    m->max_crashes = config->crashes;
    actor_ask(self, "store", &m->m.head, PROCESSOR_STORE_MS, leases_on_reaped, NULL);
}

void leases_start(struct actor *self)
{
    const struct processor_config *config = actor_config(self);

    actor_after(self, config->lease_ms / RENEWALS_PER_LEASE, TIMER_RENEW);
    leases_reap(self);
}
