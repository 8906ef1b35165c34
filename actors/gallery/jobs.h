/* The gallery's queue of jobs for the search thread.
 *
 * There is one search thread, and it does jobs in the order in which they were queued. So a match that is queued after
 * a page of changes sees those changes. The queue itself is core/actor/offload.h. Loop thread.
 */
#ifndef KITH_ACTORS_GALLERY_JOBS_H
#define KITH_ACTORS_GALLERY_JOBS_H

#include "actors/gallery/search_job.h"
#include "core/actor/offload.h"

enum { GALLERY_ASK_MS = 30000 }; /* deadline of the gallery's asks to the store */

struct gallery_jobs {
    struct actor *self; /* gets each job back as MSG_GALLERY_JOB */
    struct offload *search;
    struct decider *decider;
    struct packet_hello model; /* the recogniser's; valid when model_known */
    bool model_known;
};

/* Returns a new job for the current model. The caller owns it. */
struct msg_job *gallery_jobs_new(const struct gallery_jobs *q, int kind, const struct msg *source);

/* Queues a job. Takes it: a refused job is released. Returns ACTOR_OK or ACTOR_FULL. */
int gallery_jobs_run(struct gallery_jobs *q, struct msg_job *job);

#endif
