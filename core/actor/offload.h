/* Work that blocks or computes, done by a few threads of its own, seen by an actor as a message that comes back.
 *
 * The actor makes a job (a message with room for the result), offload_run() takes it, a thread calls `work(job)`, and
 * the same job arrives in the mailbox of `to`. While the thread has it nobody else touches it. With one thread jobs
 * are done in the order they were given.
 */
#ifndef KITH_CORE_ACTOR_OFFLOAD_H
#define KITH_CORE_ACTOR_OFFLOAD_H

#include "core/actor/actor.h"

struct offload;

typedef void (*offload_work_fn)(struct msg *job);

/* Starts `threads` threads. At most `max_jobs` wait or run at once. NULL when no thread could be started. */
struct offload *offload_new(struct actor_system *system, const char *name, unsigned threads, unsigned max_jobs);

/* Takes `job`. ACTOR_OK, or ACTOR_FULL when max_jobs are under way (the job is released). Loop thread. */
int offload_run(struct offload *offload, struct actor *to, struct msg *job, offload_work_fn work);

/* Finishes what runs, drops what waits, joins the threads. Before actor_system_free. */
void offload_free(struct offload *offload);

#endif
