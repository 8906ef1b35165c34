/* kith config: prints the settings in force and the source of each value. */
#include "cli/cli.h"

#include <stdio.h>

int cli_config(const struct invocation *in)
{
    struct buf out = {0};

    settings_print(in->book, &out);
    fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
    return 0;
}
