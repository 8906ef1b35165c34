/* What “kith forget” is asked to delete or to search: images and people with all that the records know of them. */
#ifndef KITH_CLI_RECORDS_FORGET_TARGETS_H
#define KITH_CLI_RECORDS_FORGET_TARGETS_H

#include "cli/records/raw_search.h"
#include "cli/records/records.h"

struct embedding {
    void *bytes; /* owned */
    size_t len;
};

struct targets {
    int64_t *images, *people; /* owned, as texts and embeddings */
    char **texts;             /* names, paths, hashes */
    struct embedding *embeddings;
    int image_count, person_count, text_count, embedding_count;
};

/* Adds what one argument names: image:7, person:3, a name, a path, a sha256. 1: found, 0: nothing has that name, -1: an
 * error, which was reported. */
int targets_add(struct targets *t, struct records *r, const char *argument);
/* Adds their texts and embeddings to the search of files. */
void targets_fill_search(const struct targets *t, struct raw_search *s);
/* Calls `left` with each line of what the tables hold of them: rows with their ids, and columns that are equal to one
 * of their texts or embeddings. The number of lines, or -1: reported. */
typedef void (*targets_left_fn)(void *context, const char *line);
int targets_search_tables(const struct targets *t, struct records *r, targets_left_fn left, void *context);
/* The same for all columns of the database, of whatever table, that contain one of their texts or embeddings. */
int targets_search_columns(const struct targets *t, struct records *r, targets_left_fn left, void *context);
void targets_free(struct targets *t);

#endif
