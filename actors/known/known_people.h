/* Keeps the people of KITH_KNOWN_PEOPLE as that folder says: at the start, after a change of it, and every rescan_ms.
 */
#ifndef KITH_ACTORS_KNOWN_KNOWN_PEOPLE_H
#define KITH_ACTORS_KNOWN_KNOWN_PEOPLE_H

#include "actors/known/known_folder.h"
#include "core/actor/offload.h"

#include <uv.h>

struct known_people_config {
    uv_loop_t *loop;
    struct known_folder_options options;
    struct offload *files;
    uint64_t call_ms, store_ms, rescan_ms;
};

extern const struct actor_ops known_people_actor;

#endif
