/* The folder of known people: enrolled at the start, watched afterwards. */
#ifndef KITH_ACTORS_PEOPLE_KNOWN_PEOPLE_H
#define KITH_ACTORS_PEOPLE_KNOWN_PEOPLE_H

#include "core/actor/offload.h"

#include <uv.h>

struct known_people_config {
    uv_loop_t *loop;
    const char *folder;
    struct offload *files;
    uint64_t call_ms, store_ms, rescan_ms;
    int max_files;
};

extern const struct actor_ops known_people_actor;

#endif
