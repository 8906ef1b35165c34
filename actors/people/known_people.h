/* Enrols the photos of KITH_KNOWN_PEOPLE at the start, after a change of the folder, and every rescan_ms. */
#ifndef KITH_ACTORS_PEOPLE_KNOWN_PEOPLE_H
#define KITH_ACTORS_PEOPLE_KNOWN_PEOPLE_H

#include "core/actor/offload.h"

#include <uv.h>

struct known_people_config {
    uv_loop_t *loop;
    const char *folder;
    struct offload *files;
    uint64_t call_ms, store_ms, rescan_ms;
    int max_files; /* photos beyond this number are ignored, with a warning */
};

extern const struct actor_ops known_people_actor;

#endif
