/* Leases: the time for which the store keeps a claimed image from other processors. */
#ifndef KITH_ACTORS_PIPELINE_LEASES_H
#define KITH_ACTORS_PIPELINE_LEASES_H

#include "core/actor/actor.h"

/* Sets the timer of the renewals and ends the leases of dead processes of this node. */
void leases_start(struct actor *self);
/* TIMER_RENEW: renews the leases of all jobs. */
void leases_renew(struct actor *self);
/* TIMER_REAP: ends the leases of dead processes of this node; nothing is claimed before that is done. */
void leases_reap(struct actor *self);

#endif
