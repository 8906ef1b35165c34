/* Direct access to the database, for commands that need no running kith. One may run beside them. */
#ifndef KITH_CLI_RECORDS_RECORDS_H
#define KITH_CLI_RECORDS_RECORDS_H

#include "cli/cli.h"
#include "core/store/store.h"

struct records;

/* Opens the database of the settings and migrates its schema. NULL: the error was reported. */
struct records *records_open(const struct settings *settings);
/* Asks the store and waits. Takes `m`. The reply is valid until the next call; NULL: the error was reported. */
const struct store_reply *records_ask(struct records *r, struct msg *m);
/* The same; also returns a reply with the status `allowed`. */
const struct store_reply *records_ask_for(struct records *r, struct msg *m, int allowed);
void records_close(struct records *r);

#endif
