/* The full embeddings behind a search: rows of floats, the oldest in a file when they are too many for memory.
 *
 * Only the few rows that a search cannot decide by their codes are read. The file has no name (it is gone with the
 * process) and lies in the data folder; where it cannot be written the rows stay in memory. One thread.
 */
#ifndef KITH_CORE_MATCH_SEARCH_EMBEDDING_STORE_H
#define KITH_CORE_MATCH_SEARCH_EMBEDDING_STORE_H

#include <stddef.h>

struct rows;

/* Rows of `floats` numbers. `folder`: NULL, all stay in memory. */
struct rows *rows_new(int floats, const char *folder, size_t memory_max);
void rows_free(struct rows *r);

void rows_add(struct rows *r, const float *row);
void rows_set(struct rows *r, size_t i, const float *row);
void rows_drop_last(struct rows *r);
/* Row `i`; valid until the next call. Never fails: a row that cannot be read again ends the program, for what is left
 * would name the wrong people. */
const float *rows_get(struct rows *r, size_t i);
size_t rows_in_memory(const struct rows *r); /* bytes */

#endif
