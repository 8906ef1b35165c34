/* The queue of matches: comparisons of a recogniser's faces with the gallery.
 *
 *   match asked ─▶ waiting for a reading of the log ─▶ ready ─▶ one batch on the search thread ─▶ done
 *
 *                match ready                  batch is back, nothing ready
 *   MATCH_IDLE ─────────────▶ MATCH_SEARCHING ────────────────────────────▶ MATCH_IDLE
 *
 * A match waits for the log reading that it was given, so that it sees every change that was committed before it was
 * asked. Where this node alone changes the gallery and no reading is under way, it need not wait. Matches keep their
 * order. One batch holds up to MATCH_BATCH matches of one model; meanwhile further ones collect. At most MATCH_MAX are
 * queued; further ones are answered ACTOR_FULL. One whose client has left is not searched for. Loop thread.
 */
#ifndef KITH_ACTORS_GALLERY_MATCH_QUEUE_H
#define KITH_ACTORS_GALLERY_MATCH_QUEUE_H

#include "actors/gallery/jobs.h"

enum { MATCH_BATCH = 64, MATCH_MAX = 65536 };
enum match_queue_state { MATCH_IDLE, MATCH_SEARCHING };

struct match_list {
    struct msg_job *first, *last;
};

struct match_queue {
    struct gallery_jobs *jobs;
    /* A match was searched for; takes the job. `threshold`: the distance threshold in force. */
    void (*done)(struct actor *self, struct msg_job *job, double threshold);
    enum match_queue_state state;
    struct match_list waiting; /* for a reading of the log, in ascending order of its number */
    struct match_list ready;   /* for the search thread */
    int count;                 /* in both lists */
    bool held;                 /* no batch is sent to the search thread: the index is being loaded anew */
    struct msg_job *batch;     /* MATCH_SEARCHING: the first job of the batch; not referenced */
};

/* Queues a JOB_MATCH; takes it. `reading`: number of the log reading that it waits for, 0: none. `generation`: of the
 * index now. */
void match_queue_add(struct match_queue *q, struct msg_job *job, uint64_t reading, uint64_t generation);

/* The log was read: what waited for this reading or an earlier one becomes ready, also when the reading failed. Then
 * the match is made with the index as it is, and the image is decided again by the pass that follows a later reading.
 */
void match_queue_on_log_end(struct match_queue *q, uint64_t reading, uint64_t generation);

/* Stops and resumes the sending of batches. */
void match_queue_hold(struct match_queue *q, bool held);

/* A job came back; it is ignored when it is not the awaited batch. */
void match_queue_on_job(struct match_queue *q, struct msg_job *job);

/* Releases what is queued, without an answer. */
void match_queue_clear(struct match_queue *q);

#endif
