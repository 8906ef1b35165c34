/* The full embeddings behind a search: rows of floats, the oldest in a file when they are too many for memory.
 *
 * Only the few rows that a search cannot decide by their codes are read. The file has no name (it is gone with the
 * process) and lies in the data folder; where it cannot be written the rows stay in memory. One thread.
 */
#ifndef KITH_CORE_MATCH_SEARCH_EMBEDDING_STORE_H
#define KITH_CORE_MATCH_SEARCH_EMBEDDING_STORE_H

#include <stddef.h>

struct embedding_store;

/* Rows of `floats` numbers. `folder`: NULL, all stay in memory. */
struct embedding_store *embedding_store_new(int floats, const char *folder, size_t memory_max);
void embedding_store_free(struct embedding_store *r);

void embedding_store_add(struct embedding_store *r, const float *row);
void embedding_store_set(struct embedding_store *r, size_t i, const float *row);
void embedding_store_drop_last(struct embedding_store *r);
/* Row `i`; valid until the next call. Never fails: a row that cannot be read again ends the program, for what is left
 * would name the wrong people. */
const float *embedding_store_get(struct embedding_store *r, size_t i);
size_t embedding_store_in_memory(const struct embedding_store *r); /* bytes */

#endif
