#include "actors/gallery/match_queue.h"

#include <string.h>

static void match_list_push(struct match_list *list, struct msg_job *job)
{
    if (list->last)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
}

static struct msg_job *match_list_pop(struct match_list *list)
{
    struct msg_job *job = list->first;

    list->first = job->next;
    if (!list->first)
        list->last = NULL;
    job->next = NULL;
    return job;
}

static void match_queue_refuse(struct match_queue *q, struct msg_job *job)
{
    actor_answer_error(q->jobs->self, job->token, ACTOR_FULL);
    msg_unref(&job->head);
}

/* The first that is ready, in place; NULL: none. Removes those before it that nobody waits for: their ask has ended, or
 * the client has left. */
static struct msg_job *match_queue_first_ready(struct match_queue *q)
{
    struct actor *self = q->jobs->self;
    struct msg_job *job;

    while ((job = q->ready.first) && (!actor_awaited(self, job->token) || cancel_is_set(job->source->cancel))) {
        match_list_pop(&q->ready);
        q->count--;
        actor_answer_error(self, job->token, ACTOR_CANCELLED);
        msg_unref(&job->head);
    }
    return job;
}

/* The first that is ready, linked with those behind it that are of the same model. */
static struct msg_job *match_queue_take_batch(struct match_queue *q)
{
    struct msg_job *first = match_list_pop(&q->ready), *last = first, *next;
    int n = 1;

    for (; n < MATCH_BATCH && (next = match_queue_first_ready(q)) && strcmp(next->model.model, first->model.model) == 0;
         n++) {
        last->next = match_list_pop(&q->ready);
        last = last->next;
    }
    q->count -= n;
    return first;
}

static void match_queue_search(struct match_queue *q)
{
    struct msg_job *batch, *next;

    if (q->state == MATCH_SEARCHING || q->held || !match_queue_first_ready(q))
        return;
    batch = match_queue_take_batch(q);
    msg_ref(&batch->head); /* a refused job is released by gallery_jobs_run() */
    if (gallery_jobs_run(q->jobs, batch) == ACTOR_OK) {
        msg_unref(&batch->head);
        q->state = MATCH_SEARCHING;
        q->batch = batch;
        return;
    }
    for (struct msg_job *job = batch; job; job = next) {
        next = job->next;
        job->next = NULL;
        match_queue_refuse(q, job);
    }
}

static void match_queue_make_ready(struct match_queue *q, struct msg_job *job, uint64_t generation)
{
    job->matched->generation = generation;
    match_list_push(&q->ready, job);
}

void match_queue_add(struct match_queue *q, struct msg_job *job, uint64_t reading, uint64_t generation)
{
    if (q->count == MATCH_MAX) {
        match_queue_refuse(q, job);
        return;
    }
    q->count++;
    job->reading = reading;
    if (reading) {
        match_list_push(&q->waiting, job);
        return;
    }
    match_queue_make_ready(q, job, generation);
    match_queue_search(q);
}

void match_queue_on_log_end(struct match_queue *q, uint64_t reading, uint64_t generation)
{
    while (q->waiting.first && q->waiting.first->reading <= reading)
        match_queue_make_ready(q, match_list_pop(&q->waiting), generation);
    match_queue_search(q);
}

void match_queue_hold(struct match_queue *q, bool held)
{
    q->held = held;
    match_queue_search(q);
}

void match_queue_on_job(struct match_queue *q, struct msg_job *first)
{
    struct msg_job *job = first, *next;
    double threshold = first->state.threshold;

    if (q->state != MATCH_SEARCHING || first != q->batch)
        return;
    q->state = MATCH_IDLE;
    q->batch = NULL;
    msg_ref(&first->head); /* the mailbox keeps its own */
    for (; job; job = next) {
        next = job->next;
        job->next = NULL;
        q->done(q->jobs->self, job, threshold);
    }
    match_queue_search(q);
}

void match_queue_clear(struct match_queue *q)
{
    struct match_list *lists[] = {&q->waiting, &q->ready};

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        while (lists[i]->first) {
            struct msg_job *job = match_list_pop(lists[i]);

            msg_unref(&job->head);
        }
    q->count = 0;
}
