/* The records themselves, for commands that work without a running kith, or beside one. */
#ifndef KITH_CLI_RECORDS_RECORDS_H
#define KITH_CLI_RECORDS_RECORDS_H

#include "cli/cli.h"
#include "core/store/store.h"

struct records;

/* Opens the database that the settings name and brings its schema up to date. NULL: it was said why. */
struct records *records_open(const struct settings *settings);
/* Asks and waits. The answer is valid until the next question; NULL: it was said why. Takes the message. */
const struct store_reply *records_ask(struct records *r, struct msg *m);
void records_close(struct records *r);

#endif
