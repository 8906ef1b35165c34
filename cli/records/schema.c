/* kith schema: the SQL that makes the records, for people who apply it themselves. kith does it by itself at its start.
 */
#include "cli/cli.h"
#include "core/store/store.h"

#include <stdio.h>
#include <string.h>

static void print_line(void *context, const char *sql)
{
    size_t n = strlen(sql);

    (void)context;
    while (n > 0 && sql[n - 1] == ' ')
        n--;
    printf("%.*s;\n", (int)n, sql);
}

int cli_schema(const struct invocation *in)
{
    if (in->count != 1 || !store_schema(in->arguments[0], print_line, NULL))
        return cli_refuse("schema needs the database’s kind: kith schema mariadb, or kith schema sqlite");
    return 0;
}
