/* People over HTTP: list, find, create, change, merge, delete; add and delete their photos. */
#ifndef KITH_ACTORS_PEOPLE_PEOPLE_H
#define KITH_ACTORS_PEOPLE_PEOPLE_H

#include "core/base/path.h"
#include "core/store/spool.h"

struct people_config {
    const char *gallery;
    const struct path_roots *roots;
    struct offload *files; /* looks up relative paths */
    size_t max_path;
    int64_t page_limit;
    size_t notes_max;      /* bytes (KITH_NOTES_MAX) */
    int64_t merge_undo_ms; /* for how long a merge can be undone (KITH_MERGE_UNDO) */
    uint64_t store_ms, call_ms;
};

extern const struct actor_ops people_actor;

#endif
