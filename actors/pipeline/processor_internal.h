/* What the files of the actor "processor" share. No other file includes it.
 *
 *   processor.c  the actor: when it may claim, timers, shutdown
 *   claims.c     claims rows of the table, and work items of a cluster's queue
 *   jobs.c       one image from its claim to its finish
 *   finish.c     what is written back for each outcome
 *   leases.c     renews the leases of jobs; ends the leases of dead processes at the start
 */
#ifndef KITH_ACTORS_PIPELINE_PROCESSOR_INTERNAL_H
#define KITH_ACTORS_PIPELINE_PROCESSOR_INTERNAL_H

#include "actors/pipeline/claims.h"
#include "actors/pipeline/jobs.h"
#include "actors/pipeline/processor.h"

enum { PROCESSOR_STORE_MS = 30000 }; /* deadline of an ask of the store */

/* Timers below JOBS_MAX belong to the job of that number. */
enum processor_timer { TIMER_POLL = JOBS_MAX, TIMER_DUE, TIMER_RENEW, TIMER_REAP };

struct processor {
    struct jobs jobs;
    struct claims claims;
    bool breaker_closed;
    int64_t reaped;     /* the last image of the batch of ended leases before; 0: begin with the first */
    bool leases_reaped; /* the leases of dead processes of this node have been ended */
    bool stopping;
    actor_token stop_token; /* of MSG_STOPPING, while jobs run */
};

/* processor.c: a job has ended. */
void processor_on_job_ended(struct actor *self);
/* processor.c: false while the breaker is not closed, at the start and at shutdown. */
bool processor_may_claim(const struct processor *p);

#endif
