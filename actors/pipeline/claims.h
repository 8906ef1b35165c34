/* Claims: how the processor gets images.
 *
 * As many images are claimed as there are ready workers, times `ahead`. One claim is under way at a time. Work items of
 * a cluster's queue are claimed first, by their ids; a poll, a nudge or an ended job claims whatever is due.
 *
 *   work item ─▶ held ─▶ in a claim ─▶ claim committed or refused ─▶ answered; the queue may acknowledge it
 */
#ifndef KITH_ACTORS_PIPELINE_CLAIMS_H
#define KITH_ACTORS_PIPELINE_CLAIMS_H

#include "actors/pipeline/jobs.h"

struct held_item {
    int64_t id;
    actor_token token; /* of the ask that brought it */
};

struct claims {
    struct held_item items[JOBS_MAX];
    uint32_t item_count;
    uint32_t asked_items;  /* the first so many are in the claim under way */
    uint32_t window;       /* jobs at once */
    bool asked;            /* a claim is under way */
    bool rows_may_be_due;  /* cleared by a claim that asks for them, set again when it got all that it asked for */
    uint64_t number;       /* of the last claim: makes its owner unique */
    int64_t told_capacity; /* to the work queue */
};

/* Claims, unless nothing may be due or no more can be taken. */
void claims_try(struct actor *self);
/* The same when rows may have become due. */
void claims_try_due(struct actor *self);
/* MSG_WORK_ITEM */
void claims_on_work_item(struct actor *self, const struct msg_work_item *m);
/* MSG_CAPACITY */
void claims_on_capacity(struct actor *self, const struct msg_capacity *m);
/* Tells the work queue how many more images can be claimed, when that has changed. */
void claims_tell_capacity(struct actor *self);

#endif
