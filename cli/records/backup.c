/* kith backup FILE: copies the embedded database in a consistent state, also while kith runs. */
#include "cli/cli.h"
#include "core/store/store.h"

#include <stdio.h>
#include <string.h>

int cli_backup(const struct invocation *in)
{
    struct error error;
    int64_t bytes = 0;

    if (in->count != 1)
        return cli_refuse("backup needs the file to write: kith backup FILE");
    if (strcmp(in->settings->database, "sqlite") != 0)
        return cli_refuse("KITH_DATABASE is a server: mariadb-dump --single-transaction copies it");
    if (store_backup(in->settings->data, in->arguments[0], &bytes, &error) < 0) {
        fprintf(stderr, "kith: %s\n", error.text);
        return 1;
    }
    printf("%s: %lld bytes, checked\n", in->arguments[0], (long long)bytes);
    return 0;
}
