/* kith config: what is in force, and where each value came from. */
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
