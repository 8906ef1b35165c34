/* kith compact: writes the embedded database anew, so that its file has no free pages. */
#include "cli/cli.h"
#include "core/store/store.h"

#include <stdio.h>
#include <string.h>

int cli_compact(const struct invocation *in)
{
    struct error error;
    int64_t before = 0, after = 0;

    if (in->count)
        return cli_refuse("compact takes no arguments");
    if (strcmp(in->settings->database, "sqlite") != 0)
        return cli_refuse("KITH_DATABASE is a server: OPTIMIZE TABLE gives its free pages back");
    if (store_compact(in->settings->data, &before, &after, &error) < 0) {
        fprintf(stderr, "kith: %s\n", error.text);
        return 1;
    }
    printf("%s/kith.db: %lld bytes, before %lld\n", in->settings->data, (long long)after, (long long)before);
    return 0;
}
