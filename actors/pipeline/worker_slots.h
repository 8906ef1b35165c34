/* The places for workers, each with a worker process or none.
 *
 *   start ──▶ STARTING ──ready──▶ IDLE ◀───job───▶ BUSY
 *                │                  │ recycled        │ deadline: killed
 *                │ refused,         ▼                 │ crash
 *                │ deadline      ENDING               │
 *                │                  │ gone            │
 *                └────────────▶ BACKING_OFF ◀─────────┘      BACKING_OFF ──timer──▶ start
 *
 * The back-off doubles with each failed start up to a limit. A recycled worker is replaced at once.
 */
#ifndef KITH_ACTORS_PIPELINE_WORKER_SLOTS_H
#define KITH_ACTORS_PIPELINE_WORKER_SLOTS_H

#include "actors/pipeline/requests.h"

enum { SLOTS_MAX = 256 };

enum slot_state { SLOT_STARTING, SLOT_IDLE, SLOT_BUSY, SLOT_ENDING, SLOT_BACKING_OFF };

struct slot {
    enum slot_state state;
    struct worker *worker;   /* NULL: BACKING_OFF */
    uint64_t number;         /* of the worker: unique in the process */
    struct request *request; /* BUSY: owned */
    uint64_t begun_ms;       /* BUSY */
    uint64_t images;         /* that the worker has done */
    uint32_t failed_starts;  /* in a row */
    bool recycled;           /* the worker was ended because of its count or memory */
    bool timed_out;          /* it was killed at its deadline */
};

struct worker_slots {
    struct slot slots[SLOTS_MAX];
    uint64_t next_serial;      /* of a job */
    char reason[REASON_BYTES]; /* why the last failed start failed; "": the last one succeeded */
};

void worker_slots_start(struct actor *self);
/* Kills all workers and ends their requests. */
void worker_slots_stop(struct actor *self);
/* WORKER_READY, WORKER_DONE, WORKER_GONE */
void worker_slots_on_event(struct actor *self, const struct worker_event *e);
/* The deadline of a worker, or the end of the slot's back-off. */
void worker_slots_on_timer(struct actor *self, uint32_t slot);
/* Gives requests to idle workers until one of both runs out. */
void worker_slots_fill(struct actor *self);
/* Sends the quarantine's list to every worker that has started. */
void worker_slots_send_quarantine(struct actor *self);
/* Workers that are idle or busy. */
int worker_slots_count_ready(struct actor *self);
/* Whether a request may wait: false when every worker failed to start and is backing off. */
bool worker_slots_can_serve(struct actor *self);

#endif
