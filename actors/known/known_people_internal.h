/* What the files of the actor known-people share. Loop thread. */
#ifndef KITH_ACTORS_KNOWN_KNOWN_PEOPLE_INTERNAL_H
#define KITH_ACTORS_KNOWN_KNOWN_PEOPLE_INTERNAL_H

#include "actors/known/known_people.h"
#include "actors/messages.h"

/* Scans after a move that look for people who have nothing any more: their faces are decided again in the meantime. */
enum { SWEEPS = 8 };

struct known_people {
    uv_fs_event_t *watch;            /* owned by the loop once closing */
    const struct store_reply *known; /* referenced until the scan takes it */
    struct known_folder_scan *scan;  /* referenced; its plan is being carried out */
    int next;                        /* index of the next action of the plan */
    struct folder_state state;       /* as told to those who ask */
    char model[128];                 /* of the recogniser; "": not known yet */
    int lines;                       /* that this scan has logged about single photos */
    int deferred, sweeps;
    bool scanning;  /* from the first ask to the end of the last action */
    bool requested; /* scan again when this scan ends */
};

/* known_people.c: the plan is carried out. */
void known_people_end(struct actor *self);
/* known_actions.c: carries out the rest of the plan, one action at a time. */
void known_people_do_next(struct actor *self);
void known_people_register_actions(void);
void known_people_set_left(int files); /* the metric */

#endif
