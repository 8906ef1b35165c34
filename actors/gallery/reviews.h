/* Reviews: for people with new counter-examples, decides the faces assigned to them again.
 *
 *                   run            page             end of the person's faces
 *   REVIEW_IDLE ────────▶ REVIEW_FACES ──────────────────────▶ next person
 *        ▲                     ▲    │ the queue is empty
 *        │                     │    ├─ none was deferred ───▶ REVIEW_IDLE
 *        │                     │    └─ some were ─▶ REVIEW_RESCAN: read their log entries again
 *        └──── failed ─────────┴─────────────────────────────┘
 *
 * The queue holds REVIEWS_MAX people, in the order of the log. Further ones are deferred, not dropped: the log position
 * of the first is kept, and the log is read again from there once the queue is empty. A person may so be reviewed
 * twice, which changes nothing the second time. A failed review stays at the head of the queue for the next run.
 * Loop thread.
 */
#ifndef KITH_ACTORS_GALLERY_REVIEWS_H
#define KITH_ACTORS_GALLERY_REVIEWS_H

#include "actors/gallery/face_pages.h"

enum { REVIEWS_MAX = 256 };
enum reviews_state { REVIEW_IDLE, REVIEW_FACES, REVIEW_RESCAN };

struct reviews {
    struct face_pages pages;                        /* the faces of the person at the head */
    void (*end)(void *context, const char *failed); /* as of face_pages.h; called by every run, once */
    void *context;
    enum reviews_state state;
    int64_t people[REVIEWS_MAX]; /* ids; the first is under review in REVIEW_FACES */
    int count;
    bool repeat;          /* the person under review got another counter-example: review them again from the start */
    bool deferred;        /* the queue was full: entries of the log after `rescan_after` are missing in it */
    int64_t rescan_after; /* cursor of the log */
};

void reviews_register_metrics(void);
void reviews_init(struct reviews *v, struct gallery_jobs *jobs, uint32_t page,
                  void (*end)(void *context, const char *failed), void *context);

/* Queues the people of the counter-examples on a page of the log; `after` is the cursor before the page. */
void reviews_add_page(struct reviews *v, const struct store_reply *page, int64_t after);

/* The log is read from its start: reviews_add_page() gets all counter-examples again. */
void reviews_on_log_restart(struct reviews *v);

/* Does all that is queued; calls `end`, at once when there is nothing. Only in REVIEW_IDLE. */
void reviews_run(struct reviews *v);

#endif
