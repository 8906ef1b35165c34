/* Keeps the cohort and the calibration of the decider up to date, one slice per job of the search thread.
 *
 *                  start                     last slice
 *   REFRESH_IDLE ─────────▶ REFRESH_RUNNING ───────────▶ REFRESH_IDLE
 *
 * Between two slices the search thread does the other jobs that wait. When too little has changed, the
 * decider skips the calibration, and the refresh ends after its first slice. Loop thread.
 */
#ifndef KITH_ACTORS_GALLERY_REFRESH_H
#define KITH_ACTORS_GALLERY_REFRESH_H

#include "actors/gallery/jobs.h"

enum refresh_state { REFRESH_IDLE, REFRESH_RUNNING };

struct refresh {
    struct gallery_jobs *jobs;
    enum refresh_state state;
    struct msg_job *job; /* REFRESH_RUNNING: the awaited slice; not referenced */
    bool calibrated;
};

void refresh_register_metrics(void);

/* Does nothing while one is running. One that the search thread refuses is made up for by the next start. */
void refresh_start(struct refresh *r);

/* A job came back. True: the calibration has ended, and unknown faces may get a name by it. */
bool refresh_on_job(struct refresh *r, const struct msg_job *job);

#endif
