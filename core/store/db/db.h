/* A database as the operations see it: statements with `?`, bound and stepped. One driver a database; the SQL above it
 * is written once. Where the SQL of the two databases differs, the statement holds both: `{sqlite|mariadb}`, of which
 * the driver takes its own. One connection belongs to one thread.
 */
#ifndef KITH_CORE_STORE_DB_DB_H
#define KITH_CORE_STORE_DB_DB_H

#include "core/base/error.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_statement;

enum db_result {
    DB_ROW = 1,
    DB_DONE = 0,
    DB_ERROR = -1, /* any other error: it may pass */
    DB_FULL = -2,
    DB_IO = -3,   /* the file of the database cannot be read or written */
    DB_GONE = -4, /* the connection is lost: the statement may have been executed or not */
    DB_CONFLICT =
        -5, /* another transaction was in the way (a deadlock, a lock held too long): a repetition may succeed */
    DB_REFUSED = -6, /* no database error: an operation refused its request; its writes must be rolled back */
    DB_INVALID = -7, /* the database refuses these values: a repetition fails in the same way */
    DB_DAMAGED = -8  /* the file is not a database, or its content contradicts itself */
};

enum db_dialect { DIALECT_SQLITE, DIALECT_MARIADB };

struct db_driver {
    const char *name;
    enum db_dialect dialect; /* MariaDB: other processes write to the same tables */
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
    int64_t (*total_changes)(struct db *db); /* grows with each statement that may have changed a row */
    int64_t (*clock_ms)(struct db *db);      /* milliseconds since 1970 by the database's clock; negative: db_result */
    const char *(*error)(struct db *db);
    int (*in_transaction)(struct db *db);
    /* Removes what was deleted from the log of an embedded database, outside of a transaction. 1: done, 0: a reader
     * needs the log now, or it failed. NULL: no such log. */
    int (*truncate_log)(struct db *db);
};

/* The start of every driver's connection. */
struct db {
    const struct db_driver *driver;
    void *cache;    /* of prepared statements, by the address of their text */
    int gone;       /* the connection is lost: close it and open another */
    int failure;    /* first error of a step since db_begin_operation; 0: none */
    int steps;      /* steps since db_begin_operation; negative: not counted */
    int conflict;   /* another transaction was in the way of the current one; cleared when the next one begins */
    int unprepared; /* the db_result of a statement that could not be prepared, and whose steps fail with it */
    char
        cause[200]; /* what the database reported for the last step that failed; a later ROLLBACK does not replace it */
};

/* The prepared statement of `sql`, a string that lives as long as the program, ready to bind (positions from 1). Aborts
 * when the SQL is wrong: that is our own mistake. On a lost connection, one whose every step says DB_GONE; NULL on a
 * file that cannot be read, with which the functions of the driver and db_step fail. Owned by the connection. */
struct db_statement *db_query(struct db *db, const char *sql);
/* Starts the count of steps and forgets earlier failures. */
void db_begin_operation(struct db *db);
/* One step: DB_ROW, DB_DONE or an error. An error is also kept in `db->failure`, so that a caller that ignores it
 * cannot commit. */
int db_step(struct db *db, struct db_statement *s);
/* Binds nothing, runs to the end. */
int db_run(struct db *db, const char *sql);
/* Steps to the end and resets: for writes. */
int db_finish(struct db *db, struct db_statement *s);
/* Text as a string without its NUL counted; "" never NULL. */
void db_bind_text(struct db *db, struct db_statement *s, int at, const char *text);
/* Frees statements and connection. */
void db_close(struct db *db);

/* `sql` with each `{sqlite|mariadb}` replaced by the driver's own; the caller frees it. */
char *db_expand(const struct db *db, const char *sql);

/* SQLite in WAL mode, synchronous FULL. DB_WRITER: the connection for all writes and checkpoints. DB_WRITER_BESIDE:
 * writes beside the writer of another process and leaves the checkpoints to it. */
enum db_part { DB_READER, DB_WRITER, DB_WRITER_BESIDE };
struct db *db_open_sqlite(const char *file, enum db_part part, struct error *error);

/* Writes the database `file`, that no other process uses, anew without free pages. 0 or negative errno with `error`. */
int db_compact_sqlite(const char *file, struct error *error);

/* Copies the database `from` to the new file `to` and checks the copy. */
int db_backup_sqlite(const char *from, const char *to, struct error *error);

/* Where a MariaDB is, and the account. Texts are borrowed while a connection is opened. */
struct db_address {
    char user[128], host[256], name[128];
    unsigned port;
    const char *password;
    const char *password_file; /* read for each connection; NULL: `password` */
    unsigned timeout_s;        /* of connecting, and of each answer */
    const char *ca;            /* file of CA certificates: TLS; NULL or "": no TLS */
    int relaxed;               /* accept a server that does not flush its log at each commit */
};

/* Takes "mariadb://user@host:port/name" apart. 0, or -EINVAL with `error`. */
int db_address_parse(const char *url, struct db_address *address, struct error *error);
/* NULL with `error`, whose code is -EAGAIN when a later try may succeed (not reachable, starting, too many connections)
 * and another one when not (password, rights, no such database). */
struct db *db_open_mariadb(const struct db_address *address, struct error *error);

/* Fills `error` with a line that names the damaged file, the cause and what an operator can do. Returns its code. */
int db_explain_damage(struct error *error, const char *file, const char *cause);
/* The db_result of an error code of the database, not of a success. */
int db_sqlite_result(int code);
int db_mariadb_result(unsigned code);

/* Error injection for tests; all 0 in production. Applies to every connection of the process. */
struct db_fault {
    atomic_int step;   /* n: the n-th step of each operation fails */
    atomic_int result; /* with this db_result; 0: DB_ERROR */
    atomic_int commit; /* 1: each COMMIT of an operation fails with DB_ERROR and is not executed */
    atomic_int hits;   /* failures injected so far */
};
extern struct db_fault db_fault;

#endif
