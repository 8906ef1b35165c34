/* Faces over HTTP: what people say about them, drawn faces, unknown people. */
#ifndef KITH_ACTORS_PEOPLE_FACES_H
#define KITH_ACTORS_PEOPLE_FACES_H

#include "core/actor/actor.h"

struct faces_config {
    const char *gallery, *recognizer;
    int64_t page_limit;
    uint64_t call_ms, store_ms;
};

extern const struct actor_ops faces_actor;

#endif
