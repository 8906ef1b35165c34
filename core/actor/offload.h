/* Threads for work that blocks or computes. To an actor the work is a message that comes back.
 *
 * The actor makes a job (a message with space for the result), offload_run() takes it, a thread calls `work(job)`, and
 * the same job arrives in the mailbox of `to`. The thread owns the job until then. With one thread, jobs are done in
 * the order of offload_run().
 */
#ifndef KITH_CORE_ACTOR_OFFLOAD_H
#define KITH_CORE_ACTOR_OFFLOAD_H

#include "core/actor/actor.h"

struct offload;

typedef void (*offload_work_fn)(struct msg *job);

/* Starts `threads` threads. At most `max_jobs` jobs wait or run. Returns owned, or NULL when no thread starts. */
struct offload *offload_new(struct actor_system *system, const char *name, unsigned threads, unsigned max_jobs);

/* Takes `job`. ACTOR_OK, or ACTOR_FULL when max_jobs are under way (the job is released). Loop thread only. */
int offload_run(struct offload *offload, struct actor *to, struct msg *job, offload_work_fn work);

/* Finishes what runs, drops what waits, joins the threads. Before actor_system_free. */
void offload_free(struct offload *offload);

#endif
