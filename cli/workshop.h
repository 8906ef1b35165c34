/* Workers for the subcommands that look at pictures without a running kith: started as `serve` would start them. */
#ifndef KITH_CLI_WORKSHOP_H
#define KITH_CLI_WORKSHOP_H

#include "cli/cli.h"
#include "plugins/host/worker_process.h"

/* Everything but loop, system and actor, for the recogniser of that name or file. Points into static memory: one
 * recogniser in a process. 0, or 2 (it was said). */
int workshop_options(const struct invocation *in, const char *recognizer, struct worker_options *options);

/* KITH_WORKERS, or one for each core. */
int workshop_count(const struct settings *s);

#endif
