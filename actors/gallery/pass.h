/* Passes: after a change of the gallery, decides stored faces again.
 *
 *              request            log was read          none left              reviews done            last page
 *   PASS_IDLE ────────▶ PASS_LOG ─────────────▶ PASS_AGAIN ────▶ PASS_REVIEWS ─────────▶ PASS_FACES ───────▶ PASS_IDLE
 *                          ▲                                         └── no unknown face can have got a name ────▲
 *                          │ timer
 *                      PASS_RETRY ◀── any step failed
 *
 * PASS_AGAIN decides the faces whose template has gone (core/store/ops/people/again.c), PASS_REVIEWS those of people
 * with a new counter-example, PASS_FACES all unknown ones: after a template was added or a counter-example removed, not
 * after a removal.
 *
 * PASS_FACES compares with the templates that were added since the last comparison began: the others gave those faces
 * no name then. It compares with all templates in a pass PASS_ALL, after a failure, and when a counter-example has
 * gone.
 *
 * Requests during a pass are kept and served by one more pass. A pass over new faces only (those that no pass has read
 * yet) goes from PASS_IDLE to PASS_AGAIN directly. It assigns new unknown faces to unknown people, which re-identifies
 * them; it begins PASS_NEW_FACES_MS after the request, so that a burst of images shares it.
 *
 * A pass runs in the background, one page of faces at a time. After each page the search thread does the matches that
 * wait. Nothing waits for the end of a pass. Loop thread.
 */
#ifndef KITH_ACTORS_GALLERY_PASS_H
#define KITH_ACTORS_GALLERY_PASS_H

#include "actors/gallery/change_log.h"
#include "actors/gallery/reviews.h"

enum { PASS_RETRY_MS = 1000, PASS_NEW_FACES_MS = 300 };
enum { PASS_ADDED_MAX = 4096 }; /* templates; after more, unknown faces are compared with all templates */
enum { TIMER_PASS_RETRY = 1, TIMER_PASS_NEW_FACES }; /* the actor gives these to pass_on_timer() */

enum pass_state { PASS_IDLE, PASS_LOG, PASS_AGAIN, PASS_REVIEWS, PASS_FACES, PASS_RETRY };
enum pass_scope {
    PASS_NEW_FACES,  /* of the unknown faces only the new ones */
    PASS_IF_CHANGED, /* what the log demands, if it has something new */
    PASS_CHANGED,    /* the same, and it has */
    PASS_ALL         /* all unknown faces in any case */
};

struct pass {
    struct actor *self;
    struct change_log *log;
    struct face_pages again; /* whose template has gone */
    struct reviews reviews;
    struct face_pages faces;         /* the unknown ones */
    void (*end)(struct actor *self); /* a pass has ended well */
    enum pass_state state;
    enum pass_scope scope;     /* of the pass under way */
    enum pass_scope requested; /* PASS_CHANGED or more: was requested during the pass */
    bool compare;              /* an unknown face may have got a name since all were compared */
    bool compare_all;          /* through other templates than those of `added` */
    struct msg_added *added;   /* since the last comparison began; NULL: none. One reference */
    bool new_faces;            /* a pass over new faces was requested and has not begun */
    uint64_t reading;          /* PASS_LOG: number of the awaited reading of the log */
    int64_t newest_face;       /* id of the last face that any pass has read */
};

void pass_register_metrics(void);
void pass_init(struct pass *p, struct actor *self, struct change_log *log, struct gallery_jobs *jobs, uint32_t page,
               void (*end)(struct actor *self));

/* Releases what the pass holds. */
void pass_clear(struct pass *p);

void pass_request(struct pass *p, enum pass_scope scope);
/* The embeddings of another model are compared from now on. */
void pass_on_model(struct pass *p);
void pass_request_new_faces(struct pass *p);

/* A page of the log. */
void pass_on_log_page(struct pass *p, const struct store_reply *page);
/* The log is read from its start (change_log_events.restart). */
void pass_on_log_restart(struct pass *p);
/* A reading of the log has ended (change_log_events.end). */
void pass_on_log_end(struct pass *p, uint64_t reading, bool ok, bool found);
/* A job came back; those that are not awaited are ignored. */
void pass_on_job(struct pass *p, struct msg_job *job);
void pass_on_timer(struct pass *p, uint32_t timer);

#endif
