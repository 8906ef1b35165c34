/* What the files of the actor "recognizer" share. No other file includes it.
 *
 *   recognizer.c    the actor: which request goes to which worker, capacity, model
 *   requests.c      requests: opening of files, the queues
 *   worker_slots.c  the workers' lives
 *   quarantine.c    hashes of images that the workers refuse
 */
#ifndef KITH_ACTORS_PIPELINE_RECOGNIZER_INTERNAL_H
#define KITH_ACTORS_PIPELINE_RECOGNIZER_INTERNAL_H

#include "actors/messages.h"
#include "actors/pipeline/quarantine.h"
#include "actors/pipeline/recognizer.h"
#include "actors/pipeline/requests.h"
#include "actors/pipeline/worker_slots.h"

/* Timers below SLOTS_MAX belong to the slot of that number. */
enum recognizer_timer { TIMER_QUARANTINE = SLOTS_MAX, TIMER_REQUESTS };

struct recognizer {
    struct worker_slots slots;
    struct requests requests;
    struct quarantine quarantine;
    struct msg_breaker breaker; /* the state that the breaker told last; at first closed, in no generation */
    struct packet_hello hello;  /* of the model in force */
    bool has_hello;             /* a worker has been ready in this life of the actor */
};

/* recognizer.c: tells the number of ready workers to the actors that depend on it. */
void recognizer_tell_capacity(struct actor *self);
/* recognizer.c: whether a worker does the request without a call of its plug-in. */
bool recognizer_skips_plugin(const struct recognizer *r, const struct msg_recognize *ask);
/* recognizer.c: a worker has loaded its plug-in. */
void recognizer_on_hello(struct actor *self, const struct packet_hello *hello);

#endif
