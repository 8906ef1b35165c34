/* The queues between the actor and the threads. */
#include "core/store/threads/threads_internal.h"

static int queue_weight_of(const struct request *r)
{
    return r->m->type == STORE_SUBMIT ? ((const struct store_submit *)r->m)->count : 1;
}

struct request *queue_take(struct queue *q, int max)
{
    struct request *first, *last;
    int paths = 0;

    pthread_mutex_lock(&q->lock);
    while (!q->first && !q->stopping)
        pthread_cond_wait(&q->some, &q->lock);
    first = last = q->first; /* when stopping, what waits is still done: it was asked before */
    for (int i = 1; last && last->next && i < max && (paths += queue_weight_of(last)) < GROUP_PATHS; i++)
        last = last->next;
    if (last) {
        q->first = last->next;
        if (!q->first)
            q->last = NULL;
        last->next = NULL;
    }
    pthread_mutex_unlock(&q->lock);
    return first;
}

void threads_put(struct queue *q, struct request *r)
{
    pthread_mutex_lock(&q->lock);
    if (q->last)
        q->last->next = r;
    else
        q->first = r;
    q->last = r;
    pthread_cond_signal(&q->some);
    pthread_mutex_unlock(&q->lock);
}
