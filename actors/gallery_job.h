/* What the gallery gives its search thread to do, one after the other. */
#ifndef KITH_ACTORS_GALLERY_JOB_H
#define KITH_ACTORS_GALLERY_JOB_H

#include "actors/messages.h"
#include "core/actor/offload.h"

struct gallery_index;

enum { MSG_JOB = MSG_OFFLOADED };

enum search_job { JOB_CLEAR, JOB_APPLY, JOB_MATCH, JOB_RESOLVE };

struct msg_job { /* for the search thread; it owns what it references */
    struct msg head;
    int kind;
    struct gallery_index *index;
    const struct msg *source; /* the store's reply, or the match that was asked */
    struct packet_hello model;
    double threshold;
    int max;
    actor_token token;
    struct msg_matched *matched;
    int at;               /* MATCH: the face whose label is looked up */
    struct msg_job *next; /* among those that wait to be given to the thread */
    struct store_resolve *resolve;
    int64_t size;
};

/* A new job, of one reference; `source` is kept. The caller fills what the kind needs. */
struct msg_job *gallery_job_new(int kind, const struct msg *source);

/* Does it. On the search thread. */
void gallery_job_work(struct msg *m);

#endif
