/* Answers a match: fills in the names of people, and looks up labels.
 *
 * A recogniser that compares by itself returns a label instead of an embedding. A label is the name of an enrolled
 * photo, or of a person; the store knows the photos. Labels of one match are looked up one after the other. Loop
 * thread.
 */
#ifndef KITH_ACTORS_GALLERY_MATCH_ANSWER_H
#define KITH_ACTORS_GALLERY_MATCH_ANSWER_H

#include "actors/gallery/names.h"
#include "actors/gallery/search_job.h"

struct match_answer {
    struct actor *self;
    const struct gallery_names *names;
    double threshold; /* largest distance of a label that counts; below 0: the recogniser's own */
};

/* Takes the job of a match that was searched for, and answers it. `a` lives as long as the actor's state. */
void match_answer_send(struct match_answer *a, struct msg_job *job, double threshold);

#endif
