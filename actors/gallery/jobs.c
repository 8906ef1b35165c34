#include "actors/gallery/jobs.h"

struct msg_job *gallery_jobs_new(const struct gallery_jobs *q, int kind, const struct msg *source)
{
    struct msg_job *job = search_job_new(kind, source);

    job->decider = q->decider;
    job->model = q->model;
    return job;
}

int gallery_jobs_run(struct gallery_jobs *q, struct msg_job *job)
{
    struct actor *to = actor_find(actor_system_of(q->self), actor_name(q->self));

    return offload_run(q->search, to, &job->head, search_job_work);
}
