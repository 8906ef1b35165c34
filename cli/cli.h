/* The subcommands, one file each. Each returns the exit status of the program: 0; 1: it failed; 2: a setting or an
 * argument is wrong, which one line on standard error names. */
#ifndef KITH_CLI_CLI_H
#define KITH_CLI_CLI_H

#include "core/base/settings/settings.h"

struct invocation {
    struct settings_book *book;
    const struct settings *settings;
    int count; /* arguments after the subcommand */
    char **arguments;
    const char *flags[8][2]; /* name and value of the subcommand's own flags; "": the flag takes no value */
    int flag_count;
};

/* Returns the value of one of the subcommand's flags ("": it takes none), or NULL: not given. */
const char *cli_flag(const struct invocation *in, const char *name);

int cli_serve(const struct invocation *in);
int cli_enroll(const struct invocation *in);
int cli_retry(const struct invocation *in);
int cli_look_again(const struct invocation *in);
int cli_key(const struct invocation *in);
int cli_backup(const struct invocation *in);
int cli_compact(const struct invocation *in);
int cli_forget(const struct invocation *in);
int cli_config(const struct invocation *in);
int cli_nodes(const struct invocation *in);
int cli_schema(const struct invocation *in);
int cli_plugin(const struct invocation *in);
int cli_eval(const struct invocation *in);
int cli_bench(const struct invocation *in);
int cli_worker(void); /* internal: a recognition worker, started by serve */

/* Prints one line on standard error, "kith: …". Returns 2. */
int cli_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
