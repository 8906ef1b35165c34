/* Open-set identification: the nearest enrolled person, or unknown. */
#ifndef KITH_CLI_EVAL_EVAL_OPEN_H
#define KITH_CLI_EVAL_EVAL_OPEN_H

#include "cli/eval/eval_common.h"

struct open_set_options {
    const char *sizes; /* numbers of enrolled people, separated by commas */
    int repeats;
    int enrolled; /* photos of each enrolled person */
    int groups;   /* of alike faces, at most */
};

/* Returns 0, or 2 for a refused argument. */
int eval_open_set(struct evaluation *e, const struct open_set_options *options);

#endif
