/* Paths of files of the spool: "spool/ab/abcdef….jpg" in the database, absolute everywhere else. The paths of clients
 * are absolute, so the two forms cannot be mistaken for each other. */
#include "core/store/store_internal.h"

#include <string.h>

#define SPOOL_PREFIX "spool/"

const char *op_stored_path(struct op *op, const char *path)
{
    size_t n = op->spool ? strlen(op->spool) : 0;

    if (!n || !path || strncmp(path, op->spool, n) != 0 || path[n] != '/')
        return path;
    return arena_printf(op->arena, SPOOL_PREFIX "%s", path + n + 1);
}

const char *op_path(struct op *op, struct db_statement *s, int at)
{
    const char *stored = op_text(op, s, at);

    if (!op->spool || !stored || strncmp(stored, SPOOL_PREFIX, strlen(SPOOL_PREFIX)) != 0)
        return stored;
    return arena_printf(op->arena, "%s/%s", op->spool, stored + strlen(SPOOL_PREFIX));
}
