/* The subcommands: one file each. Every one returns the exit code of the program: 0; 1 it failed; 2 it was asked
 * wrongly (a setting, an argument), said in one line on standard error. */
#ifndef KITH_CLI_CLI_H
#define KITH_CLI_CLI_H

#include "core/base/settings/settings.h"

struct invocation {
    struct settings_book *book;
    const struct settings *settings;
    int count; /* arguments after the subcommand */
    char **arguments;
    const char *flags[8][2]; /* name and value ("" of those that take none) of the subcommand's own flags */
    int flag_count;
};

/* The value of one of the subcommand's flags ("" when it takes none), or NULL when it was not given. */
const char *cli_flag(const struct invocation *in, const char *name);

int cli_serve(const struct invocation *in);
int cli_enroll(const struct invocation *in);
int cli_retry(const struct invocation *in);
int cli_key(const struct invocation *in);
int cli_backup(const struct invocation *in);
int cli_config(const struct invocation *in);
int cli_nodes(const struct invocation *in);
int cli_schema(const struct invocation *in);
int cli_plugin(const struct invocation *in);
int cli_eval(const struct invocation *in);
int cli_bench(const struct invocation *in);
int cli_worker(void); /* not for people: a recognition worker, started by serve */

/* One line on standard error, "kith: …"; returns 2. */
int cli_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
