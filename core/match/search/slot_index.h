/* Whose a slot is, and which slots are whose: a circle of slots for each person, and a table of one slot for each.
 *
 * A table of our own, not uthash: with a million people its handles would be as much memory as the codes. One thread.
 */
#ifndef KITH_CORE_MATCH_SEARCH_SLOT_INDEX_H
#define KITH_CORE_MATCH_SEARCH_SLOT_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct owners;

struct owners *owners_new(void);
void owners_free(struct owners *o);

void owners_add(struct owners *o, int64_t person); /* of the next slot */
/* The slot `to` becomes what the last one is, which goes. */
void owners_take_last(struct owners *o, size_t to);

int64_t owners_of(const struct owners *o, size_t slot);
size_t owners_next(const struct owners *o, size_t slot);    /* of the same person; after the last the first */
size_t owners_find(const struct owners *o, int64_t person); /* one of that person's, or SIZE_MAX */
size_t owners_people(const struct owners *o);
size_t owners_bytes(const struct owners *o);

#endif
