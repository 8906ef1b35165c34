/* The jobs of the gallery's search thread.
 *
 * A job is a message. The loop thread makes and fills it, gives it to the search thread (jobs.h), and gets it back in
 * the actor's mailbox. Between those two moments only the search thread touches it. The decider of core/match belongs
 * to the search thread alone, so nothing in it needs a lock.
 */
#ifndef KITH_ACTORS_GALLERY_SEARCH_JOB_H
#define KITH_ACTORS_GALLERY_SEARCH_JOB_H

#include "actors/messages.h"
#include "core/match/policy.h"
#include "core/match/template_set.h"

enum search_job_kind {
    JOB_CLEAR,   /* empty the index */
    JOB_APPLY,   /* apply a page of the change log to the index */
    JOB_MATCH,   /* compare the faces of this job and of all jobs linked by `next` */
    JOB_RESOLVE, /* decide a page of unknown faces again; assign those that stay unknown to unknown people */
    JOB_AGAIN,   /* decide a page of faces again, of which the template that gave the name has gone */
    JOB_REVIEW,  /* decide a page of faces of `person` again; keep those that a counter-example refutes */
    JOB_REFRESH  /* one slice of the cohort's and calibration's update */
};

struct match_answer;

/* Templates that were added to the gallery since a pass began to compare the unknown faces with all templates. It does
 * not change any more when a job has it. */
struct msg_added {
    struct msg head;
    struct template_set *templates; /* owned; of one model */
};

struct msg_job {
    struct msg head;
    int kind;                /* search_job_kind */
    struct decider *decider; /* borrowed */
    const struct msg
        *source; /* APPLY, RESOLVE, AGAIN, REVIEW: the store's reply; MATCH: the msg_match. One reference */
    struct packet_hello model; /* of the embeddings that are compared */
    struct msg_job *next;      /* MATCH: the rest of the batch. One reference */
    /* MATCH */
    actor_token token;           /* answers the msg_match */
    struct msg_matched *matched; /* the answer. Owned */
    uint64_t reading;            /* number of the log reading that must end before the search; 0: none */
    int at;                      /* index of the face whose label is looked up */
    struct match_answer *answer; /* borrowed, while labels are looked up */
    /* RESOLVE, AGAIN, REVIEW */
    struct store_resolve *resolve; /* out: what the store shall change. Owned */
    int64_t person;                /* REVIEW */
    struct msg_added *added;       /* RESOLVE; NULL: all templates are compared. One reference */
    /* out, every kind: state of the index after the job */
    int64_t size;    /* templates */
    uint64_t memory; /* bytes */
    struct decider_state state;
    /* out, REFRESH */
    bool more;              /* call again for the next slice */
    bool threshold_lowered; /* unknown faces may get a name now: they need a pass */
};

/* Returns a new job with one reference, owned by the caller. Takes a reference to `source`; NULL: none. Loop thread. */
struct msg_job *search_job_new(int kind, const struct msg *source);

/* Returns an empty one for the model, with one reference. Loop thread. */
struct msg_added *search_job_new_added(const struct packet_hello *model);

/* Does the job. Search thread. */
void search_job_work(struct msg *m);

#endif
