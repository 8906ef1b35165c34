/* Searches files for byte strings: what a database or a cache holds, whatever its format. Blocks. */
#ifndef KITH_CLI_RECORDS_RAW_SEARCH_H
#define KITH_CLI_RECORDS_RAW_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

struct raw_search;

struct raw_search *raw_search_new(void);
void raw_search_free(struct raw_search *s);
/* Both copy. A text is found where no letter or digit stands beside it, also in the names of files; one of fewer than
 * 4 bytes is ignored: it is everywhere. Returns whether it is searched for. */
bool raw_search_add_text(struct raw_search *s, const char *what, const char *text);
/* Bytes are found by pieces of them: a database may store them in parts. */
void raw_search_add_bytes(struct raw_search *s, const char *what, const void *bytes, size_t len);

/* Searches all regular files below `folder`; links are not followed. Calls `found` once for each file and string. */
typedef void (*raw_found_fn)(void *context, const char *what, const char *where);
void raw_search_folder(struct raw_search *s, const char *folder, raw_found_fn found, void *context);
/* The same for bytes in memory; `where` is what `found` gets. */
void raw_search_bytes(struct raw_search *s, const char *where, const void *data, size_t len, raw_found_fn found,
                      void *context);

#endif
