/* The queues between the actor and the threads. */
#include "core/store/threads/threads_internal.h"

enum { SCAN_MAX = 4096 }; /* requests of busy senders that are passed over in one search */

static bool queue_is_submit(const struct request *r)
{
    return r->m->type == STORE_SUBMIT;
}

static int queue_weight(const struct request *r)
{
    return queue_is_submit(r) ? ((const struct store_submit *)r->m)->count : 1;
}

/* Whether the request must not be executed before the requests that the set stands for. */
static bool queue_sender_precedes(const struct sender_set *set, const struct request *r)
{
    for (int i = 0; i < set->count; i++)
        if (set->at[i].actor == r->sender)
            return !(set->at[i].submits_only && queue_is_submit(r));
    return false;
}

/* False when the set is full. */
static bool queue_add_sender(struct sender_set *set, const struct request *r)
{
    int i = 0;

    while (i < set->count && set->at[i].actor != r->sender)
        i++;
    if (i == SENDERS_MAX)
        return false;
    if (i == set->count) {
        set->at[set->count++].actor = r->sender;
        set->at[i].submits_only = true;
    }
    set->at[i].submits_only &= queue_is_submit(r);
    return true;
}

static bool queue_may_take(const struct queue *q, int number, const struct sender_set *passed, const struct request *r)
{
    if (queue_sender_precedes(passed, r))
        return false;
    for (int i = 0; i < q->taker_count; i++)
        if (i != number && queue_sender_precedes(&q->busy[i], r))
            return false;
    return true;
}

/* Unlinks what `number` may take. NULL: nothing now. */
static struct request *queue_collect(struct queue *q, int number, int max)
{
    struct sender_set passed = {.count = 0}, none, *taken = q->taker_count ? &q->busy[number] : &none;
    struct request *first = NULL, **to = &first, **at = &q->first, *kept = NULL, *r;
    int paths = 0, count = 0, scanned = 0;

    taken->count = 0;
    while ((r = *at) && count < max && scanned++ < SCAN_MAX) {
        if (count && paths + queue_weight(r) > GROUP_PATHS)
            break;
        if (!queue_may_take(q, number, &passed, r)) {
            if (!queue_add_sender(&passed, r))
                break;
            kept = r;
            at = &r->next;
            continue;
        }
        if (!queue_add_sender(taken, r))
            break;
        *at = r->next;
        r->next = NULL;
        *to = r;
        to = &r->next;
        paths += queue_weight(r);
        count++;
    }
    if (!*at) /* the end of the list was reached */
        q->last = kept;
    return first;
}

struct request *queue_take(struct queue *q, int number, int max)
{
    struct request *first;

    pthread_mutex_lock(&q->lock);
    /* When stopping, what waits is still done: it was asked before. */
    while (!(first = queue_collect(q, number, max)) && !(q->stopping && !q->first))
        pthread_cond_wait(&q->some, &q->lock);
    pthread_mutex_unlock(&q->lock);
    return first;
}

void queue_release(struct queue *q, int number)
{
    pthread_mutex_lock(&q->lock);
    q->busy[number].count = 0;
    pthread_cond_broadcast(&q->some);
    pthread_mutex_unlock(&q->lock);
}

void queue_put(struct queue *q, struct request *r)
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
