/* Workers of the subcommands that recognise pictures without a running kith, with the options of `serve`. */
#ifndef KITH_CLI_LOCAL_WORKERS_H
#define KITH_CLI_LOCAL_WORKERS_H

#include "cli/cli.h"
#include "plugins/host/worker_process.h"

/* Fills in all options but loop, system and actor, for the recogniser of that name or file. They point into static
 * memory: one recogniser a process. 0, or 2: the error was reported. */
int local_workers_configure(const struct invocation *in, const char *recognizer, struct worker_options *options);

/* Returns KITH_WORKERS, or the number of cores. */
int local_workers_count(const struct settings *s);

#endif
