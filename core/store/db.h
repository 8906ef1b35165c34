/* A database as the operations see it: statements with `?`, bound and stepped. One driver a database; the SQL above it
 * is written once. One connection belongs to one thread.
 */
#ifndef KITH_CORE_STORE_DB_H
#define KITH_CORE_STORE_DB_H

#include "core/base/error.h"

#include <stddef.h>
#include <stdint.h>

struct db;
struct db_statement;

enum db_result { DB_ROW = 1, DB_DONE = 0, DB_ERROR = -1, DB_FULL = -2, DB_IO = -3 };

struct db_driver {
    const char *name;
    void (*close)(struct db *db);
    struct db_statement *(*prepare)(struct db *db, const char *sql);
    void (*bind_int)(struct db_statement *s, int at, int64_t value);
    void (*bind_real)(struct db_statement *s, int at, double value);
    void (*bind_blob)(struct db_statement *s, int at, const void *data, size_t len, int is_text); /* NULL data: null */
    int (*step)(struct db_statement *s);
    void (*reset)(struct db_statement *s);
    int64_t (*column_int)(struct db_statement *s, int at);
    double (*column_real)(struct db_statement *s, int at);
    const void *(*column_blob)(struct db_statement *s, int at, size_t *len); /* NULL for null; until the next step */
    int64_t (*last_id)(struct db *db);
    int64_t (*changes)(struct db *db);
    const char *(*error)(struct db *db);
    int (*in_transaction)(struct db *db);
};

/* The start of every driver's connection. */
struct db {
    const struct db_driver *driver;
    void *cache; /* of prepared statements, by the address of their text */
};

/* The prepared statement of `sql`, a string literal, ready to bind (positions from 1). Aborts when the SQL is wrong:
 * that is our own mistake. Owned by the connection. */
struct db_statement *db_query(struct db *db, const char *sql);
/* Binds nothing, runs to the end. */
int db_run(struct db *db, const char *sql);
/* Steps to the end and resets: for writes. */
int db_finish(struct db *db, struct db_statement *s);
/* Text as a string without its NUL counted; "" never NULL. */
void db_bind_text(struct db *db, struct db_statement *s, int at, const char *text);
/* Frees statements and connection. */
void db_close(struct db *db);

/* SQLite in WAL mode, synchronous FULL. `writer` makes the connection for all writes and checkpoints. */
struct db *db_open_sqlite(const char *file, int writer, struct error *error);

#endif
