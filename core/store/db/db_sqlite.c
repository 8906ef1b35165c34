/* The SQLite driver. One connection does all writes and all checkpoints (SQLite before 3.51.3 can corrupt a WAL when
 * two connections write and checkpoint at the same instant); the other only reads. */
#include "core/store/db/db.h"

#include "core/base/clock.h"
#include "core/base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 5000, TRUNCATE_WAIT_MS = 100 };

struct sqlite_db {
    struct db db;
    sqlite3 *handle;
};

static sqlite3 *sqlite_handle_of(struct db *db)
{
    return ((struct sqlite_db *)db)->handle;
}

static sqlite3_stmt *sqlite_stmt_of(struct db_statement *s)
{
    return (sqlite3_stmt *)(void *)s;
}

static void sqlite_close_db(struct db *db)
{
    sqlite3 *handle = sqlite_handle_of(db);
    sqlite3_stmt *s;

    while ((s = sqlite3_next_stmt(handle, NULL)))
        sqlite3_finalize(s);
    sqlite3_close(handle);
    free(db);
}

static void sqlite_bind_int(struct db_statement *s, int at, int64_t value)
{
    sqlite3_bind_int64(sqlite_stmt_of(s), at, value);
}

static void sqlite_bind_real(struct db_statement *s, int at, double value)
{
    sqlite3_bind_double(sqlite_stmt_of(s), at, value);
}

/* Bound data must live until the statement is reset; operations hold their messages that long. */
static void sqlite_bind_blob(struct db_statement *s, int at, const void *data, size_t len, int is_text)
{
    if (!data)
        sqlite3_bind_null(sqlite_stmt_of(s), at);
    else if (is_text)
        sqlite3_bind_text64(sqlite_stmt_of(s), at, data, len, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_blob64(sqlite_stmt_of(s), at, data, len, SQLITE_STATIC);
}

/* Primary result codes and their meaning: https://sqlite.org/rescode.html. A code that is not listed is DB_ERROR: it
 * may pass. */
static const struct {
    int code, result;
} errors[] = {
    /* another connection has a lock; busy_timeout is over */
    {SQLITE_BUSY, DB_CONFLICT},
    {SQLITE_LOCKED, DB_CONFLICT},
    {SQLITE_PROTOCOL, DB_CONFLICT},
    /* the file */
    {SQLITE_FULL, DB_FULL},
    {SQLITE_IOERR, DB_IO},
    {SQLITE_CORRUPT, DB_DAMAGED},
    {SQLITE_NOTADB, DB_DAMAGED},
    /* the values: the same statement fails each time */
    {SQLITE_CONSTRAINT, DB_INVALID},
    {SQLITE_MISMATCH, DB_INVALID},
    {SQLITE_TOOBIG, DB_INVALID},
    {SQLITE_RANGE, DB_INVALID},
    {SQLITE_MISUSE, DB_INVALID},
};

int db_sqlite_result(int code)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].code == (code & 0xff))
            return errors[i].result;
    return DB_ERROR;
}

/* SQLITE_ERROR is wrong SQL; any other code is of the file. */
static struct db_statement *sqlite_prepare(struct db *db, const char *sql)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v3(sqlite_handle_of(db), sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL);

    db->unprepared = code == SQLITE_OK || (code & 0xff) == SQLITE_ERROR ? 0 : db_sqlite_result(code);
    return (struct db_statement *)(void *)s;
}

static int sqlite_step_statement(struct db_statement *s)
{
    int code = sqlite3_step(sqlite_stmt_of(s)), result;

    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return code == SQLITE_ROW ? DB_ROW : DB_DONE;
    result = db_sqlite_result(code);
    return result == DB_IO && (errno == ENOSPC || errno == EDQUOT) ? DB_FULL : result;
}

static void sqlite_reset_statement(struct db_statement *s)
{
    sqlite3_reset(sqlite_stmt_of(s));
    if (s)
        sqlite3_clear_bindings(sqlite_stmt_of(s));
}

static int64_t sqlite_column_int(struct db_statement *s, int at)
{
    return sqlite3_column_int64(sqlite_stmt_of(s), at);
}

static double sqlite_column_real(struct db_statement *s, int at)
{
    return sqlite3_column_double(sqlite_stmt_of(s), at);
}

static const void *sqlite_column_blob(struct db_statement *s, int at, size_t *len)
{
    const void *data;

    if (sqlite3_column_type(sqlite_stmt_of(s), at) == SQLITE_NULL) {
        *len = 0;
        return NULL;
    }
    data = sqlite3_column_blob(sqlite_stmt_of(s), at);
    *len = (size_t)sqlite3_column_bytes(sqlite_stmt_of(s), at);
    return data ? data : "";
}

static int64_t sqlite_last_id(struct db *db)
{
    return sqlite3_last_insert_rowid(sqlite_handle_of(db));
}

static int64_t sqlite_changes(struct db *db)
{
    return sqlite3_changes64(sqlite_handle_of(db));
}

static int64_t sqlite_total_changes(struct db *db)
{
    return sqlite3_total_changes64(sqlite_handle_of(db));
}

static int64_t sqlite_clock_ms(struct db *db)
{
    (void)db;
    return clock_wall_ms();
}

static const char *sqlite_error(struct db *db)
{
    return sqlite3_errmsg(sqlite_handle_of(db));
}

static int sqlite_in_transaction(struct db *db)
{
    return !sqlite3_get_autocommit(sqlite_handle_of(db));
}

/* A checkpoint that also empties the file of the log. It does not wait long for readers: the caller tries again. */
static int sqlite_truncate_log(struct db *db)
{
    sqlite3 *handle = sqlite_handle_of(db);
    int code;

    sqlite3_busy_timeout(handle, TRUNCATE_WAIT_MS);
    code = sqlite3_wal_checkpoint_v2(handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(handle, BUSY_MS);
    return code == SQLITE_OK;
}

static const struct db_driver driver = {
    .name = "sqlite",
    .dialect = DIALECT_SQLITE,
    .close = sqlite_close_db,
    .prepare = sqlite_prepare,
    .bind_int = sqlite_bind_int,
    .bind_real = sqlite_bind_real,
    .bind_blob = sqlite_bind_blob,
    .step = sqlite_step_statement,
    .reset = sqlite_reset_statement,
    .column_int = sqlite_column_int,
    .column_real = sqlite_column_real,
    .column_blob = sqlite_column_blob,
    .last_id = sqlite_last_id,
    .changes = sqlite_changes,
    .total_changes = sqlite_total_changes,
    .clock_ms = sqlite_clock_ms,
    .error = sqlite_error,
    .in_transaction = sqlite_in_transaction,
    .truncate_log = sqlite_truncate_log,
};

/* auto_vacuum takes effect in a new file only; free pages of an older file stay until “kith compact”. */
static const char new_pragmas[] = "PRAGMA auto_vacuum=INCREMENTAL";
/* A reader cannot enable WAL: the writer is opened first. secure_delete overwrites deleted rows, also with libraries
 * that do not by default. */
static const char writer_pragmas[] =
    "PRAGMA secure_delete=ON; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;"
    "PRAGMA cache_size=-32000; PRAGMA busy_timeout=5000; PRAGMA temp_store=MEMORY;"
    "PRAGMA journal_size_limit=67108864";
static const char reader_pragmas[] = "PRAGMA query_only=ON; PRAGMA cache_size=-8000; PRAGMA busy_timeout=5000;"
                                     "PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY";

/* Only the writer of the process that owns the file moves the log into it: with two a commit may be lost (SQLite before
 * 3.51.3). */
static const char beside_pragmas[] = "PRAGMA wal_autocheckpoint=0";

/* Embeddings and key hashes are for this user only. SQLite gives its log and its index the mode of the database. A file
 * that exists is not opened here: closing it would release the locks that this process has on it. */
static void sqlite_make_private(const char *file)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char name[4096];
    int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0) {
        close(fd);
        return;
    }
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        snprintf(name, sizeof name, "%s%s", file, endings[i]);
        (void)chmod(name, 0600); /* another user's file keeps its mode */
    }
}

struct db *db_open_sqlite(const char *file, enum db_part part, struct error *error)
{
    struct sqlite_db *db = calloc(1, sizeof *db);
    const int writer = part != DB_READER;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_CREATE : 0);
    struct stat st;
    const int is_new = writer && (stat(file, &st) < 0 || st.st_size == 0);
    int code;

    if (!db)
        out_of_memory();
    db->db.driver = &driver;
    if (part == DB_WRITER)
        sqlite_make_private(file);
    code = sqlite3_open_v2(file, &db->handle, flags, NULL);
    if (code == SQLITE_OK && is_new)
        code = sqlite3_exec(db->handle, new_pragmas, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db->handle, writer ? writer_pragmas : reader_pragmas, NULL, NULL, NULL);
    if (code == SQLITE_OK && part == DB_WRITER_BESIDE) {
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        code = sqlite3_exec(db->handle, beside_pragmas, NULL, NULL, NULL);
    }
    if (code != SQLITE_OK) {
        if (db_sqlite_result(code) == DB_DAMAGED)
            db_explain_damage(error, file, sqlite3_errmsg(db->handle));
        else
            error_set(error, -EIO, "%s: %s", file, db->handle ? sqlite3_errmsg(db->handle) : "out of memory");
        sqlite3_close(db->handle);
        free(db);
        return NULL;
    }
    return &db->db;
}

static int sqlite_check_copy(sqlite3 *copy, const char *file, struct error *error)
{
    sqlite3_stmt *s = NULL;
    int status = 0;

    if (sqlite3_exec(copy, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(copy, "PRAGMA integrity_check(1)", -1, &s, NULL) != SQLITE_OK ||
        sqlite3_step(s) != SQLITE_ROW)
        status = error_set(error, -EIO, "%s: %s", file, sqlite3_errmsg(copy));
    else if (strcmp((const char *)sqlite3_column_text(s, 0), "ok") != 0)
        status = error_set(error, -EIO, "%s: the copy is damaged: %s", file, (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
    return status;
}

/* In one step: a copy in several steps restarts at each commit of another process. */
static int sqlite_copy(sqlite3 *from, sqlite3 *to, const char *file, struct error *error)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    int code = backup ? sqlite3_backup_step(backup, -1) : SQLITE_ERROR;

    if (backup)
        sqlite3_backup_finish(backup);
    return code == SQLITE_DONE ? 0 : error_set(error, -EIO, "%s: %s", file, sqlite3_errmsg(to));
}

int db_backup_sqlite(const char *from, const char *to, struct error *error)
{
    sqlite3 *source = NULL, *copy = NULL;
    int status = 0;

    sqlite_make_private(to);
    if (sqlite3_open_v2(from, &source, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        status = error_set(error, -EIO, "%s: %s", from, sqlite3_errmsg(source));
    else if (sqlite3_open_v2(to, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        status = error_set(error, -EIO, "%s: %s", to, sqlite3_errmsg(copy));
    if (status == 0) {
        sqlite3_db_config(source, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_busy_timeout(source, 5000);
        status = sqlite_copy(source, copy, to, error);
    }
    if (status == 0)
        status = sqlite_check_copy(copy, to, error);
    sqlite3_close(copy);
    sqlite3_close(source);
    return status;
}

int db_compact_sqlite(const char *file, struct error *error)
{
    sqlite3 *handle = NULL;
    int code = sqlite3_open_v2(file, &handle, SQLITE_OPEN_READWRITE, NULL);

    if (code == SQLITE_OK)
        code =
            sqlite3_exec(handle,
                         "PRAGMA busy_timeout=5000; PRAGMA secure_delete=ON; PRAGMA auto_vacuum=INCREMENTAL; VACUUM; "
                         "PRAGMA wal_checkpoint(TRUNCATE)",
                         NULL, NULL, NULL);
    if (code != SQLITE_OK)
        error_set(error, -EIO, "%s: %s", file, handle ? sqlite3_errmsg(handle) : "out of memory");
    sqlite3_close(handle);
    return code == SQLITE_OK ? 0 : -EIO;
}
