/* The full embeddings: rows of floats, the oldest in a file when they exceed the memory limit. One thread at a time.
 *
 * A search reads only the few rows that the quantizer's lower bound does not prune. The file is an unnamed temporary
 * file in `folder` (O_TMPFILE), so it ends with the process. If it cannot be written, the rows stay in memory.
 */
#ifndef KITH_CORE_MATCH_SEARCH_EMBEDDING_STORE_H
#define KITH_CORE_MATCH_SEARCH_EMBEDDING_STORE_H

#include <stddef.h>

struct embedding_store;

/* Rows of `floats` numbers. `folder`: borrowed; NULL: all rows stay in memory. `memory_max`: bytes. */
struct embedding_store *embedding_store_new(int floats, const char *folder, size_t memory_max);
void embedding_store_free(struct embedding_store *r);

void embedding_store_add(struct embedding_store *r, const float *row);
void embedding_store_set(struct embedding_store *r, size_t i, const float *row);
void embedding_store_drop_last(struct embedding_store *r);
/* Returns row `i`, valid until the next call. A read error aborts the process: without the row, searches would name the
 * wrong people. */
const float *embedding_store_get(struct embedding_store *r, size_t i);
size_t embedding_store_in_memory(const struct embedding_store *r); /* bytes */

#endif
