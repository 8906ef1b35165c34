/* The search for what is left of images and people: in the tables, in files, in what NATS stores. */
#ifndef KITH_CLI_RECORDS_FORGET_SEARCH_H
#define KITH_CLI_RECORDS_FORGET_SEARCH_H

#include "cli/records/forget_targets.h"

/* Searches until nothing is left or `wait` is over: nodes remove files behind the answer of a deletion. Prints what is
 * left. 0: nothing; 1: something, or an error, which was reported. */
int forget_verify(const struct invocation *in, struct records *r, const struct targets *t, bool wait);

#endif
