/* Open-set identification: the nearest enrolled person, or unknown. */
#ifndef KITH_CLI_EVAL_EVAL_OPEN_H
#define KITH_CLI_EVAL_EVAL_OPEN_H

#include "cli/eval/eval_common.h"

/* `sizes`: numbers of enrolled people, separated by commas. Returns 0, or 2 for a refused argument. */
int eval_open_set(struct evaluation *e, const char *sizes, int64_t repeats);

#endif
