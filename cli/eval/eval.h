/* What the files of `kith eval` share. */
#ifndef KITH_CLI_EVAL_EVAL_H
#define KITH_CLI_EVAL_EVAL_H

#include "cli/eval/portraits.h"

#include <stdio.h>

struct evaluation {
    const struct invocation *in;
    const char *folder;
    struct portraits all;
    struct portrait **faces; /* those with an embedding, ordered as `all` */
    int count;
    bool json;
    struct buf out; /* JSON, under way */
};

/* A generator that gives the same numbers everywhere (splitmix64). */
uint64_t eval_random(uint64_t *state);

/* eval_pairs.c: are these two the same? Accuracy over ten folds; false matches against false non-matches. 0 or 2. */
int eval_pairs(struct evaluation *e, const char *pairs_file);

/* eval_open.c: who is it, or nobody we know? */
int eval_open_set(struct evaluation *e, const char *sizes, int64_t repeats);

#endif
