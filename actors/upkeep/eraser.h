/* Removes what deletions leave to this node: files of the spool, thumbnails and crops in its cache, and deleted rows in
 * the log of an embedded database.
 *
 *   a deletion ─▶ rows in the table erasures, for each node
 *   MSG_ERASE, or the poll ─▶ STORE_ERASURES ─▶ a file thread removes the files ─▶ STORE_ERASED deletes the rows
 *
 * Other nodes find their rows by the poll, also after they were down. A node that has not joined, or that was away for
 * longer than KITH_ERASE_AGE, does not know what it missed: it empties its cache of thumbnails and joins.
 *
 * The file of an upload is removed when no image and no enrolled photo has it, and when it is older than `young_ms`:
 * another upload of the same bytes may be between its file and its row.
 */
#ifndef KITH_ACTORS_UPKEEP_ERASER_H
#define KITH_ACTORS_UPKEEP_ERASER_H

#include "core/store/spool.h"

struct eraser_config {
    const char *node;          /* the name of this node among those that share the database */
    const struct spool *spool; /* borrowed, as thumbs and files */
    const char *thumbs;
    struct offload *files;
    uint64_t store_ms, poll_ms;
    uint64_t seen_ms; /* interval at which the node tells that it is still there */
    int64_t young_ms;
};

extern const struct actor_ops eraser_actor;

#endif
