/* Verification: do two photos show the same person? */
#ifndef KITH_CLI_EVAL_EVAL_PAIRS_H
#define KITH_CLI_EVAL_EVAL_PAIRS_H

#include "cli/eval/eval_common.h"

/* Accuracy over ten folds, and false match against false non-match rates. Returns 0, or 2 for a refused argument. */
int eval_pairs(struct evaluation *e, const char *pairs_file);

#endif
