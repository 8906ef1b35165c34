/* Jobs: the images that this processor has claimed. A job ends when the store has written its result.
 *
 *   claimed ─▶ RECOGNIZING ──faces──▶ MATCHING ──people──▶ FINISHING ──▶ ended
 *                   │ no face, failure                     ▲      │ the store cannot write now
 *                   └──────────────────────────────────────┤      ▼
 *                                                          └─ BACKING_OFF
 *
 * A result that the store cannot write now (disk full, database away) is asked again, with a back-off. A result that
 * the store refuses for good (values that the database does not take) is replaced, once, by a failure without values
 * of the image. When that is refused too, the job ends without a result: the lease ends, and the limit of tries ends
 * the image. So no image occupies a place for ever.
 *
 * The lease is renewed until the job ends. When this process dies the lease ends, and another processor claims the
 * image.
 */
#ifndef KITH_ACTORS_PIPELINE_JOBS_H
#define KITH_ACTORS_PIPELINE_JOBS_H

#include "actors/messages.h"

enum { JOBS_MAX = 1024 };

enum job_stage { STAGE_NONE, STAGE_RECOGNIZING, STAGE_MATCHING, STAGE_FINISHING, STAGE_BACKING_OFF };

struct job {
    enum job_stage stage; /* NONE: the place is free */
    int64_t id;
    int64_t attempt; /* the fencing token: of an older attempt the store writes nothing */
    int64_t tries;
    uint64_t begun_ms;
    struct file_stamp file;            /* that the recogniser has read */
    uint64_t gallery_generation;       /* that was matched against */
    const struct store_finish *finish; /* FINISHING, BACKING_OFF: referenced */
    uint32_t finish_failures;          /* in a row that were not for good */
    bool result_refused;               /* for good: `finish` is the failure that replaces it */
};

struct jobs {
    struct job at[JOBS_MAX];
    uint32_t count;
};

void jobs_register_metrics(void);
/* Starts a job for a claimed image. A place must be free. */
void jobs_start(struct actor *self, const struct image *image);
/* The end of the back-off of job number `i`. */
void jobs_on_timer(struct actor *self, uint32_t i);
/* Frees the memory of all jobs. Nobody renews their leases from here on. */
void jobs_stop(struct actor *self);

#endif
