#include "core/actor/offload.h"

#include "core/actor/system.h"
#include "core/base/must.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    struct msg *msg;
    struct actor *to;
    offload_work_fn work;
    struct job *next;
};

struct offload {
    struct actor_system *system;
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct job *first, *last; /* under `lock`, as the fields below */
    unsigned jobs, max_jobs;  /* waiting and running */
    bool stopping;
    unsigned thread_count;
    pthread_t threads[];
};

static struct job *offload_take_job(struct offload *offload)
{
    struct job *job;

    pthread_mutex_lock(&offload->lock);
    while (!offload->first && !offload->stopping)
        pthread_cond_wait(&offload->filled, &offload->lock);
    job = offload->stopping ? NULL : offload->first;
    if (job) {
        offload->first = job->next;
        if (!offload->first)
            offload->last = NULL;
    }
    pthread_mutex_unlock(&offload->lock);
    return job;
}

static void *offload_thread(void *arg)
{
    struct offload *offload = arg;
    struct job *job;

    while ((job = offload_take_job(offload))) {
        job->work(job->msg);
        pthread_mutex_lock(&offload->lock);
        offload->jobs--;
        pthread_mutex_unlock(&offload->lock);
        actor_post(offload->system, job->to, job->msg);
        free(job);
    }
    return NULL;
}

struct offload *offload_new(struct actor_system *system, const char *name, unsigned threads, unsigned max_jobs)
{
    struct offload *offload = calloc(1, sizeof *offload + threads * sizeof(pthread_t));
    sigset_t all, before;

    if (!offload)
        out_of_memory();
    offload->system = system;
    offload->max_jobs = max_jobs;
    pthread_mutex_init(&offload->lock, NULL);
    pthread_cond_init(&offload->filled, NULL);
    sigfillset(&all); /* signals are handled by the loop's thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (offload->thread_count < threads &&
           pthread_create(&offload->threads[offload->thread_count], NULL, offload_thread, offload) == 0) {
        char title[16];

        snprintf(title, sizeof title, "%.12s-%u", name, offload->thread_count % 100);
        pthread_setname_np(offload->threads[offload->thread_count], title);
        offload->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (offload->thread_count == 0) {
        offload_free(offload);
        return NULL;
    }
    return offload;
}

int offload_run(struct offload *offload, struct actor *to, struct msg *m, offload_work_fn work)
{
    struct job *job = calloc(1, sizeof *job);

    if (!job)
        out_of_memory();
    *job = (struct job){.msg = m, .to = to, .work = work};
    pthread_mutex_lock(&offload->lock);
    if (offload->jobs >= offload->max_jobs || offload->stopping) {
        pthread_mutex_unlock(&offload->lock);
        free(job);
        msg_unref(m);
        return ACTOR_FULL;
    }
    offload->jobs++;
    if (offload->last)
        offload->last->next = job;
    else
        offload->first = job;
    offload->last = job;
    pthread_cond_signal(&offload->filled);
    pthread_mutex_unlock(&offload->lock);
    return ACTOR_OK;
}

void offload_free(struct offload *offload)
{
    if (!offload)
        return;
    pthread_mutex_lock(&offload->lock);
    offload->stopping = true;
    pthread_cond_broadcast(&offload->filled);
    pthread_mutex_unlock(&offload->lock);
    for (unsigned i = 0; i < offload->thread_count; i++)
        pthread_join(offload->threads[i], NULL);
    while (offload->first) {
        struct job *job = offload->first;

        offload->first = job->next;
        msg_unref(job->msg);
        free(job);
    }
    pthread_cond_destroy(&offload->filled);
    pthread_mutex_destroy(&offload->lock);
    free(offload);
}
