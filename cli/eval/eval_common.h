/* State and random numbers that both evaluations use. One thread. */
#ifndef KITH_CLI_EVAL_EVAL_COMMON_H
#define KITH_CLI_EVAL_EVAL_COMMON_H

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

#endif
