/* What the gallery gives its search thread to do, one after the other. */
#ifndef KITH_ACTORS_GALLERY_JOBS_H
#define KITH_ACTORS_GALLERY_JOBS_H

#include "actors/messages.h"
#include "core/actor/offload.h"
#include "core/match/policy.h"

enum search_job {
    JOB_CLEAR,
    JOB_APPLY,   /* a page of the log */
    JOB_MATCH,   /* faces, of all the jobs that follow this one in `next` too */
    JOB_RESOLVE, /* a page of faces nobody knows: who are they now, or which strangers */
    JOB_REVIEW,  /* a page of faces that carry a person's name: are they still that person? */
    JOB_REFRESH  /* a slice of the calibration */
};

struct msg_job { /* for the search thread; it owns what it references */
    struct msg head;
    int kind;
    struct decider *decider;
    const struct msg *source; /* the store's reply, or the match that was asked */
    struct packet_hello model;
    actor_token token;
    struct msg_matched *matched;
    int at; /* MATCH: the face whose label is looked up */
    struct msg_job *next;
    struct store_resolve *resolve;
    int64_t person; /* REVIEW */
    /* what it says: */
    int64_t size;
    uint64_t memory;
    struct decider_state state;
    bool more, eased; /* REFRESH */
};

/* A new job, of one reference; `source` is kept. The caller fills what the kind needs. */
struct msg_job *gallery_job_new(int kind, const struct msg *source);

/* Does it. On the search thread. */
void gallery_job_work(struct msg *m);

#endif
