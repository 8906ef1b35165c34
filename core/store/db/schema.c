/* Brings a database to the newest version of the schema (schema_versions.c). Each statement can be repeated: MariaDB
 * commits after every one, and a node may die between two. */
#include "core/store/db/schema_versions.h"
#include "core/store/store_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In a rolling upgrade nodes of version N work on the schema of N+1: a version only adds, and what it makes superfluous
 * is removed by the next one. */
enum { AHEAD = 1 };

/* Negative: db_result. */
static int64_t schema_read_version(struct db *db)
{
    struct db_statement *s = db_query(db, "SELECT COALESCE(MAX(version), 0) FROM schema_version");
    int result = db_step(db, s);
    int64_t version = result == DB_ROW ? db->driver->column_int(s, 0) : result < 0 ? result : 0;

    db->driver->reset(s);
    return version;
}

/* Not through the cache: each statement runs once, and MariaDB cannot prepare one for a table that does not exist. */
static int schema_run(struct db *db, const char *sql)
{
    char *text = db_expand(db, sql);
    struct db_statement *s = db->driver->prepare(db, text);
    int result = s ? db_finish(db, s) : db->gone ? DB_GONE : DB_ERROR;

    free(text);
    return result;
}

static int schema_apply_version(struct db *db, int64_t version)
{
    struct db_statement *s;
    int result = 0;

    for (const char *const *sql = schema_versions[version]; *sql && result >= 0; sql++)
        result = schema_run(db, *sql);
    if (result < 0)
        return result;
    s = db_query(db, "REPLACE INTO schema_version VALUES(?)");
    db->driver->bind_int(s, 1, version + 1);
    return db_finish(db, s);
}

static int schema_apply_all(struct db *db, struct error *error)
{
    int64_t version = schema_read_version(db);

    for (; version >= 0 && version < SCHEMA_NEWEST; version++)
        if (db_run(db, "{BEGIN IMMEDIATE|START TRANSACTION}") < 0 || schema_apply_version(db, version) < 0 ||
            db_run(db, "COMMIT") < 0) {
            error_set(error, db->gone ? -EAGAIN : -EIO, "KITH_DATABASE: schema %lld: %s", (long long)version + 1,
                      db->driver->error(db));
            if (db->driver->in_transaction(db))
                db_run(db, "ROLLBACK");
            return DB_ERROR;
        }
    return version < 0 ? (int)version : 0;
}

/* Of several nodes that start at once, one migrates the schema and the others wait for it. */
static int schema_apply_locked(struct db *db, struct error *error)
{
    struct db_statement *s = db_query(db, "{SELECT 1|SELECT GET_LOCK('kith_schema', 60)}");
    int got = db_step(db, s) == DB_ROW && db->driver->column_int(s, 0) == 1, result;

    db->driver->reset(s);
    if (!got)
        return error_set(error, -EAGAIN, "KITH_DATABASE: another node holds the schema's lock for more than a minute");
    result = schema_apply_all(db, error);
    s = db_query(db, "{SELECT 1|SELECT RELEASE_LOCK('kith_schema')}");
    db_step(db, s);
    db->driver->reset(s);
    return result;
}

/* Whether the table of versions exists. The account may have no right to create tables when the SQL was applied by
 * hand. */
static int schema_has_versions(struct db *db)
{
    struct db_statement *s =
        db_query(db, "{SELECT COUNT(*) FROM sqlite_master WHERE name = 'schema_version'|SELECT COUNT(*) "
                     "FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = "
                     "'schema_version'}");
    int result = db_step(db, s);

    if (result == DB_ROW)
        result = db->driver->column_int(s, 0) > 0;
    db->driver->reset(s);
    return result;
}

int schema_migrate(struct db *db, struct error *error)
{
    int there = schema_has_versions(db);
    int64_t version;

    if (there < 0 || (!there && schema_run(db, schema_version_table) < 0) || (version = schema_read_version(db)) < 0)
        return error_set(error, db->gone ? -EAGAIN : -EIO, "KITH_DATABASE: schema: %s", db->driver->error(db));
    if (version > SCHEMA_NEWEST + AHEAD)
        return error_set(error, -ENOTSUP,
                         "KITH_DATABASE: the database is of a newer kith (schema %lld, this program knows %d)",
                         (long long)version, SCHEMA_NEWEST);
    return version >= SCHEMA_NEWEST ? 0 : schema_apply_locked(db, error);
}

void schema_print(enum db_dialect dialect, void (*line)(void *context, const char *sql), void *context)
{
    const struct db_driver as = {.dialect = dialect};
    const struct db db = {.driver = &as};
    char *first = db_expand(&db, schema_version_table), last[64];

    line(context, first);
    free(first);
    for (int v = 0; v < SCHEMA_NEWEST; v++)
        for (const char *const *sql = schema_versions[v]; *sql; sql++) {
            char *text = db_expand(&db, *sql);

            if (strcmp(text, "SELECT 1") != 0)
                line(context, text);
            free(text);
        }
    snprintf(last, sizeof last, "REPLACE INTO schema_version VALUES(%d)", SCHEMA_NEWEST);
    line(context, last);
}
