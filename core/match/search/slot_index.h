/* The slot index: person of each slot, and slots of each person. One thread at a time.
 *
 * The slots of a person form a circular list. A hash table with open addressing has one slot of each person. It is not
 * uthash, whose handles would take as much memory as the quantizer's codes for a million people.
 */
#ifndef KITH_CORE_MATCH_SEARCH_SLOT_INDEX_H
#define KITH_CORE_MATCH_SEARCH_SLOT_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct slot_index;

struct slot_index *slot_index_new(void);
void slot_index_free(struct slot_index *o);

void slot_index_add(struct slot_index *o, int64_t person); /* appends a slot */
/* Moves the last slot to `to`, and removes the last. */
void slot_index_move_last(struct slot_index *o, size_t to);

int64_t slot_index_of(const struct slot_index *o, size_t slot);
size_t slot_index_next(const struct slot_index *o,
                       size_t slot); /* of the same person; after the last one comes the first */
size_t slot_index_find(const struct slot_index *o, int64_t person); /* a slot of the person, or SIZE_MAX */
size_t slot_index_people(const struct slot_index *o);
size_t slot_index_bytes(const struct slot_index *o);

#endif
