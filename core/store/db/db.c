#include "core/store/db/db.h"

#include "core/base/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct cached {
    const char *sql; /* the key is the address of the literal */
    struct db_statement *statement;
    UT_hash_handle hh;
};

char *db_expand(const struct db *db, const char *sql)
{
    char *text = malloc(strlen(sql) + 1), *to = text;

    if (!text)
        out_of_memory();
    for (const char *at = sql; *at;) {
        const char *bar, *end;

        if (*at != '{') {
            *to++ = *at++;
            continue;
        }
        bar = strchr(at, '|');
        end = bar ? strchr(bar, '}') : NULL;
        if (!end)
            must_end("wrong SQL");
        if (db->driver->dialect == DIALECT_SQLITE)
            to = mempcpy(to, at + 1, (size_t)(bar - at) - 1);
        else
            to = mempcpy(to, bar + 1, (size_t)(end - bar) - 1);
        at = end + 1;
    }
    *to = 0;
    return text;
}

struct db_statement *db_query(struct db *db, const char *sql)
{
    struct cached *cache = db->cache, *c;
    char *text;

    HASH_FIND_PTR(cache, &sql, c);
    if (c)
        return c->statement;
    c = calloc(1, sizeof *c);
    if (!c)
        out_of_memory();
    c->sql = sql;
    text = db_expand(db, sql);
    c->statement = db->driver->prepare(db, text);
    if (!c->statement && db->unprepared) {
        free(text);
        free(c);
        return NULL;
    }
    if (!c->statement) {
        fprintf(stderr, "kith: %s cannot prepare “%s”: %s\n", db->driver->name, text, db->driver->error(db));
        must_end("wrong SQL");
    }
    free(text);
    HASH_ADD_PTR(cache, sql, c);
    db->cache = cache;
    return c->statement;
}

int db_explain_damage(struct error *error, const char *file, const char *cause)
{
    return error_set(
        error, -EIO,
        "KITH_DATA: %.150s is damaged (%.80s): stop kith and restore a backup (kith backup), or save what can "
        "be read: sqlite3 FILE .recover | sqlite3 NEW",
        file, cause);
}

struct db_fault db_fault;

void db_begin_operation(struct db *db)
{
    db->failure = 0;
    db->steps = 0;
}

int db_step(struct db *db, struct db_statement *s)
{
    int result, fault = atomic_load_explicit(&db_fault.step, memory_order_relaxed);

    if (++db->steps == fault) {
        atomic_fetch_add(&db_fault.hits, 1);
        result = atomic_load(&db_fault.result) ? atomic_load(&db_fault.result) : DB_ERROR;
    } else {
        result = s ? db->driver->step(s) : db->unprepared;
    }
    if (result < 0)
        snprintf(db->cause, sizeof db->cause, "%s", db->driver->error(db));
    if (result < 0 && !db->failure)
        db->failure = result;
    return result;
}

int db_finish(struct db *db, struct db_statement *s)
{
    int result;

    while ((result = db_step(db, s)) == DB_ROW)
        ;
    db->driver->reset(s);
    return result;
}

int db_run(struct db *db, const char *sql)
{
    /* of operations only: a connection that opens commits, too (see `steps`) */
    if (atomic_load_explicit(&db_fault.commit, memory_order_relaxed) && db->steps >= 0 && strcmp(sql, "COMMIT") == 0) {
        atomic_fetch_add(&db_fault.hits, 1);
        return DB_ERROR;
    }
    return db_finish(db, db_query(db, sql));
}

void db_bind_text(struct db *db, struct db_statement *s, int at, const char *text)
{
    db->driver->bind_blob(s, at, text, text ? strlen(text) : 0, 1);
}

void db_close(struct db *db)
{
    struct cached *cache, *c, *next;

    if (!db)
        return;
    cache = db->cache;
    HASH_ITER(hh, cache, c, next)
    {
        HASH_DEL(cache, c);
        free(c); /* the driver frees the statements with the connection */
    }
    db->driver->close(db);
}
