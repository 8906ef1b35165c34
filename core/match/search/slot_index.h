/* Whose a slot is, and which slots are whose: a circle of slots for each person, and a table of one slot for each.
 *
 * A table of our own, not uthash: with a million people its handles would be as much memory as the codes. One thread.
 */
#ifndef KITH_CORE_MATCH_SEARCH_SLOT_INDEX_H
#define KITH_CORE_MATCH_SEARCH_SLOT_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct slot_index;

struct slot_index *slot_index_new(void);
void slot_index_free(struct slot_index *o);

void slot_index_add(struct slot_index *o, int64_t person); /* of the next slot */
/* The slot `to` becomes what the last one is, which goes. */
void slot_index_move_last(struct slot_index *o, size_t to);

int64_t slot_index_of(const struct slot_index *o, size_t slot);
size_t slot_index_next(const struct slot_index *o, size_t slot);    /* of the same person; after the last the first */
size_t slot_index_find(const struct slot_index *o, int64_t person); /* one of that person's, or SIZE_MAX */
size_t slot_index_people(const struct slot_index *o);
size_t slot_index_bytes(const struct slot_index *o);

#endif
