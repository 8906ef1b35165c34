/* Paths that were posted while they had rows: finds those whose files have changed since.
 *
 * The loop thread makes the job from the reply of a submission. A file thread reads the stamps of the files, and the
 * job comes back to the actor as a message. While it is with the thread nothing else may touch it.
 */
#ifndef KITH_ACTORS_INTAKE_POSTED_JOB_H
#define KITH_ACTORS_INTAKE_POSTED_JOB_H

#include "actors/api/path_job.h"

struct posted_job {
    struct msg head;
    struct arena arena;
    const struct path_roots *roots; /* borrowed */
    const struct store_reply *from; /* of the submission; referenced */
    struct image *images;           /* the reply's; a copy, which the actor may change, when the job is needed */
    int count;
    struct file_stamp *files; /* the result, of each image's file: not known when there is none or it does not matter */
    struct call *call;        /* owned, or NULL */
    struct path_job *paths;   /* referenced, or NULL: of the original interface, with the request */
};

/* `type`: of the message that comes back. Refers to `reply`. Takes `call` and a reference to `paths`, one of which is
 * NULL. The caller owns the job. */
struct posted_job *posted_job_new(uint32_t type, const struct path_roots *roots, const struct store_reply *reply,
                                  struct call *call, struct path_job *paths);
/* The request that the job is about. */
struct http_request *posted_job_request(const struct posted_job *job);
/* Whether there is a file whose stamp matters. */
bool posted_job_is_needed(const struct posted_job *job);
void posted_job_work(struct msg *job); /* file thread */
/* What to ask the store about the files that may have changed; owned. NULL: none has. */
struct store_posted *posted_job_message(const struct posted_job *job);
/* Marks the images that wait again, by the store's reply. */
void posted_job_apply(struct posted_job *job, const struct store_reply *reply);

#endif
