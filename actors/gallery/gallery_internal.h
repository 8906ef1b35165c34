/* What the files of the gallery actor share. */
#ifndef KITH_ACTORS_GALLERY_GALLERY_INTERNAL_H
#define KITH_ACTORS_GALLERY_GALLERY_INTERNAL_H

#include "actors/gallery/gallery.h"
#include "actors/gallery/jobs.h"

enum { GALLERY_ASK_MS = 30000, GALLERY_WAITERS_MAX = 4096, GALLERY_REVIEWS_MAX = 256 };

struct name;

struct gallery {
    struct packet_hello model;
    bool model_known;
    struct name *names;
    int64_t last_change; /* cursor of the log */
    /* the pass under way */
    bool passing, again, tail, late_tail; /* again: something changed during it; tail: only faces that are new */
    bool resolving;                       /* it looks at the unknown faces too */
    int64_t last_face, newest_face;       /* cursor of the pass; the last face that any pass has seen */
    int64_t reviews[GALLERY_REVIEWS_MAX]; /* people of whom somebody said who they are not */
    int review_count;                     /* the first is under review */
    bool review_again;                    /* somebody said more of it meanwhile */
    int64_t review_after, resolved;
    bool refreshing, calibrated;
    /* the reading of the log */
    bool reading, found, read_once;     /* the log is being read; it had something new; it has been read to its end */
    bool pass_reads, pass_asked;        /* the pass goes on after this reading; after the next */
    struct msg_job *reads, *asked;      /* the matches that do */
    struct msg_job *ready, *last_ready; /* those that can be given to the thread */
    bool matching;                      /* it has some */
    uint64_t generation;                /* grows with each change of the index */
    actor_token waiters[GALLERY_WAITERS_MAX]; /* asked for a change: answered at the end of a pass begun after it */
    int waiting, next_waiting;                /* those after `waiting` came during the pass */
};

struct msg_job *gallery_new_job(struct actor *self, int kind, const struct msg *source);
/* Gives a job to the search thread. ACTOR_OK or ACTOR_FULL. */
int gallery_run(struct actor *self, struct msg_job *job);
/* Begins a reading of the log for all that wait for one, if none is under way. */
void gallery_read_log(struct actor *self);
void gallery_begin_pass(struct actor *self, bool resolving);

/* gallery_match.c: comparing faces */
void gallery_on_match(struct actor *self, const struct msg *m);
/* These can be given to the thread now, in their order. */
void gallery_give_matches(struct actor *self, struct msg_job *list);
void gallery_after_match(struct actor *self, struct msg_job *job);
void gallery_drop_matches(struct gallery *g);

/* gallery_names.c: what people are called */
void gallery_remember_name(struct gallery *g, int64_t id, const char *text);
void gallery_forget_name(struct gallery *g, int64_t id);
const char *gallery_name_of(const struct gallery *g, int64_t id); /* NULL: nobody's */
int64_t gallery_person_named(const struct gallery *g, const char *text);
void gallery_forget_names(struct gallery *g);

#endif
