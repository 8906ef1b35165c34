/* Decides stored faces again, page by page: reads a page, has it decided on the search thread, stores what changed.
 *
 *                run                    page                     decided
 *   PAGES_IDLE ──────▶ PAGES_READING ────────▶ PAGES_MATCHING ───────────▶ PAGES_SAVING
 *       ▲                  │    ▲                    │ nothing changed         │
 *       └─── empty page ───┘    └────────────────────┴─────────────────────────┘
 *
 * Every state returns to PAGES_IDLE when its step fails; `end` tells. Per message the loop thread handles one page.
 * Loop thread.
 */
#ifndef KITH_ACTORS_GALLERY_FACE_PAGES_H
#define KITH_ACTORS_GALLERY_FACE_PAGES_H

#include "actors/gallery/change_log.h"
#include "actors/gallery/jobs.h"

enum face_pages_state { PAGES_IDLE, PAGES_READING, PAGES_MATCHING, PAGES_SAVING };

struct face_pages {
    struct gallery_jobs *jobs;
    const struct change_log *log; /* AGAIN_FACES: what was read of it decides which faces are due */
    uint32_t list;                /* STORE_UNKNOWN_FACES, STORE_AGAIN_FACES or STORE_PERSON_FACES */
    int kind;                     /* JOB_RESOLVE, JOB_AGAIN or JOB_REVIEW */
    uint32_t limit;               /* faces in a page */
    /* `failed`: NULL when the last page was reached; else what could not be used, for the log. */
    void (*end)(void *context, const char *failed);
    void *context;
    enum face_pages_state state;
    int64_t person;          /* STORE_PERSON_FACES: id of the person */
    int64_t after;           /* cursor: id of the last face that was read */
    int64_t changed;         /* faces changed since face_pages_run() */
    struct msg_added *added; /* JOB_RESOLVE: the templates that are compared; NULL: all. One reference */
    struct msg_job *job;     /* PAGES_MATCHING: the job that is awaited; not referenced */
};

void face_pages_register_metrics(void);

/* Begins after the face with the id `after`. Only in PAGES_IDLE. */
void face_pages_run(struct face_pages *p, int64_t person, int64_t after);

/* A job came back. False: it is not the awaited one, and was ignored. */
bool face_pages_on_job(struct face_pages *p, struct msg_job *job);

#endif
