/* kith schema: prints the SQL of the database schema, to apply it by hand. `kith serve` applies it when it starts. */
#include "cli/cli.h"
#include "core/store/store.h"

#include <stdio.h>
#include <string.h>

static void schema_print_statement(void *context, const char *sql)
{
    size_t n = strlen(sql);

    (void)context;
    while (n > 0 && sql[n - 1] == ' ')
        n--;
    printf("%.*s;\n", (int)n, sql);
}

/* Of deploy/mariadb.sql, which is this output. */
static const char schema_mariadb_head[] = "-- The records of a kith cluster, for those who make their tables "
                                          "themselves; kith does so at its first start. Made by\n"
                                          "-- `kith schema mariadb`; an existing database of the original (images, "
                                          "person, person_images) is adopted, no row is "
                                          "lost.\n";

int cli_schema(const struct invocation *in)
{
    if (in->count == 1 && strcmp(in->arguments[0], "mariadb") == 0)
        puts(schema_mariadb_head);
    if (in->count != 1 || !store_schema(in->arguments[0], schema_print_statement, NULL))
        return cli_refuse("schema needs the kind of database: kith schema mariadb, or kith schema sqlite");
    return 0;
}
