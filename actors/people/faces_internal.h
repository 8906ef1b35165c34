/* What the files of the actor "faces" share. Loop thread. */
#ifndef KITH_ACTORS_PEOPLE_FACES_INTERNAL_H
#define KITH_ACTORS_PEOPLE_FACES_INTERNAL_H

#include "actors/api/request.h"
#include "actors/people/faces.h"
#include "core/store/store.h"

/* The person of a body: {"name": …} or {"person": id}; with "template": false the face becomes no template. */
struct face_name {
    int64_t person;   /* 0: `name` counts */
    const char *name; /* in the arena */
    bool given;       /* the body names one */
    bool no_template;
};

/* Reads it from the body; `required`: one must be named. False: answered. */
bool faces_read_name(struct http_request *request, json_t *object, struct arena *arena, bool required,
                     struct face_name *name);
/* Adds the counts of the store's answer to `call`. False: it refused; the request is answered and `call` freed. */
bool faces_add_answer(struct call *call, int status, const struct msg *reply);
/* A change is committed: the gallery reads it, then the request is answered with `call`. */
void faces_ask_gallery(struct actor *self, struct call *call);

/* face_words.c: ignore, no face, not a person; and taking back. */
void face_words_say(struct actor *self, struct http_request *request, int op);

/* unknown_people.c */
void unknown_people_list(struct actor *self, struct http_request *request);
void unknown_people_name(struct actor *self, struct http_request *request);
void unknown_people_ignore(struct actor *self, struct http_request *request, bool take_back);

/* drawn_faces.c */
void drawn_faces_add(struct actor *self, struct http_request *request);

#endif
