/* Statements of the MariaDB driver: prepare, bind, execute, fetch; and the driver's table. */
#include "core/store/db/mariadb.h"

#include "core/base/must.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { FIRST_BYTES = 256 };

union number {
    long long integer;
    double real;
};

struct column {
    union number number;
    char *data; /* of a text or blob; grows to the longest value */
    unsigned long capacity, len;
    my_bool null, truncated;
};

struct mariadb_statement {
    struct mariadb_db *db;
    MYSQL_STMT *stmt;
    unsigned long param_count;
    unsigned column_count;
    MYSQL_BIND *params, *results;
    union number *numbers;
    struct column *columns;
    int executed;
    int reads; /* a SELECT: it changes no row */
    struct mariadb_statement *next;
};

static struct mariadb_db *mariadb_db_of(struct db *db)
{
    return (struct mariadb_db *)db;
}

static struct mariadb_statement *mariadb_statement_of(struct db_statement *s)
{
    return (struct mariadb_statement *)(void *)s;
}

static void mariadb_statement_free(struct mariadb_statement *s)
{
    if (s->stmt)
        mysql_stmt_close(s->stmt);
    for (unsigned i = 0; i < s->column_count; i++)
        free(s->columns[i].data);
    free(s->columns);
    free(s->results);
    free(s->params);
    free(s->numbers);
    free(s);
}

static void mariadb_close_db(struct db *db)
{
    struct mariadb_db *m = mariadb_db_of(db);
    struct mariadb_statement *next;
    int fd = (int)mysql_get_socket(&m->mysql);

    /* mysql_close sends a command and would wait for a peer that is frozen. */
    if (db->gone && fd >= 0)
        shutdown(fd, SHUT_RDWR);
    for (struct mariadb_statement *s = m->statements; s; s = next) {
        next = s->next;
        mariadb_statement_free(s);
    }
    mysql_close(&m->mysql);
    free(m);
}

static void mariadb_bind_column(MYSQL_BIND *b, struct column *c, enum enum_field_types type)
{
    b->is_null = &c->null;
    b->length = &c->len;
    b->error = &c->truncated;
    switch (type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONGLONG:
        b->buffer_type = MYSQL_TYPE_LONGLONG;
        b->buffer = &c->number.integer;
        b->buffer_length = sizeof c->number.integer;
        break;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        b->buffer_type = MYSQL_TYPE_DOUBLE;
        b->buffer = &c->number.real;
        b->buffer_length = sizeof c->number.real;
        break;
    default:
        c->data = malloc(FIRST_BYTES);
        if (!c->data)
            out_of_memory();
        c->capacity = FIRST_BYTES;
        b->buffer_type = MYSQL_TYPE_BLOB;
        b->buffer = c->data;
        b->buffer_length = c->capacity;
    }
}

static int mariadb_bind_columns(struct mariadb_statement *s)
{
    MYSQL_RES *meta = mysql_stmt_result_metadata(s->stmt);
    const MYSQL_FIELD *fields;

    if (!meta)
        return 0;
    fields = mysql_fetch_fields(meta);
    s->column_count = mysql_num_fields(meta);
    s->columns = calloc(s->column_count, sizeof *s->columns);
    s->results = calloc(s->column_count, sizeof *s->results);
    if (!s->columns || !s->results)
        out_of_memory();
    for (unsigned i = 0; i < s->column_count; i++)
        mariadb_bind_column(&s->results[i], &s->columns[i], fields[i].type);
    mysql_free_result(meta);
    return mysql_stmt_bind_result(s->stmt, s->results) ? -1 : 0;
}

static struct db_statement *mariadb_prepare(struct db *db, const char *sql)
{
    struct mariadb_db *m = mariadb_db_of(db);
    struct mariadb_statement *s = calloc(1, sizeof *s);

    if (!s || !(s->stmt = mysql_stmt_init(&m->mysql)))
        out_of_memory();
    s->db = m;
    s->reads = strncmp(sql, "SELECT", 6) == 0;
    if (db->gone || mysql_stmt_prepare(s->stmt, sql, strlen(sql)) || mariadb_bind_columns(s)) {
        if (!db->gone && mariadb_fail(m, mysql_stmt_errno(s->stmt), mysql_stmt_error(s->stmt)) != DB_GONE) {
            mariadb_statement_free(s);
            return NULL;
        }
        for (const char *c = sql; *c; c++) /* the caller binds before it steps */
            s->param_count += *c == '?';
    } else {
        s->param_count = mysql_stmt_param_count(s->stmt);
    }
    s->params = calloc(s->param_count + 1, sizeof *s->params);
    s->numbers = calloc(s->param_count + 1, sizeof *s->numbers);
    if (!s->params || !s->numbers)
        out_of_memory();
    s->next = m->statements;
    m->statements = s;
    return (struct db_statement *)(void *)s;
}

static void mariadb_bind_int(struct db_statement *st, int at, int64_t value)
{
    struct mariadb_statement *s = mariadb_statement_of(st);
    MYSQL_BIND *b = &s->params[at - 1];

    s->numbers[at - 1].integer = value;
    *b = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &s->numbers[at - 1].integer};
}

static void mariadb_bind_real(struct db_statement *st, int at, double value)
{
    struct mariadb_statement *s = mariadb_statement_of(st);
    MYSQL_BIND *b = &s->params[at - 1];

    s->numbers[at - 1].real = value;
    *b = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_DOUBLE, .buffer = &s->numbers[at - 1].real};
}

static void mariadb_bind_blob(struct db_statement *st, int at, const void *data, size_t len, int is_text)
{
    MYSQL_BIND *b = &mariadb_statement_of(st)->params[at - 1];

    *b = (MYSQL_BIND){.buffer_type = !data     ? MYSQL_TYPE_NULL
                                     : is_text ? MYSQL_TYPE_STRING
                                               : MYSQL_TYPE_BLOB,
                      .buffer = (void *)(uintptr_t)data,
                      .buffer_length = len};
}

static int mariadb_execute(struct mariadb_statement *s)
{
    struct mariadb_db *m = s->db;

    if (s->param_count && mysql_stmt_bind_param(s->stmt, s->params))
        return mariadb_fail(m, mysql_stmt_errno(s->stmt), mysql_stmt_error(s->stmt));
    /* The columns of INSERT … RETURNING are known only after its execution. */
    if (mysql_stmt_execute(s->stmt) ||
        (s->column_count == 0 && mysql_stmt_field_count(s->stmt) && mariadb_bind_columns(s)) ||
        (s->column_count && mysql_stmt_store_result(s->stmt)))
        return mariadb_fail(m, mysql_stmt_errno(s->stmt), mysql_stmt_error(s->stmt));
    s->executed = 1;
    m->writes += !s->reads;
    if (s->column_count == 0) {
        m->changed = (int64_t)mysql_stmt_affected_rows(s->stmt);
        m->last_id = (int64_t)mysql_stmt_insert_id(s->stmt);
    }
    return 0;
}

static void mariadb_fetch_truncated(struct mariadb_statement *s)
{
    for (unsigned i = 0; i < s->column_count; i++) {
        struct column *c = &s->columns[i];

        if (!c->data || c->null || c->len <= c->capacity)
            continue;
        free(c->data);
        c->capacity = c->len;
        c->data = malloc(c->capacity);
        if (!c->data)
            out_of_memory();
        s->results[i].buffer = c->data;
        s->results[i].buffer_length = c->capacity;
        mysql_stmt_fetch_column(s->stmt, &s->results[i], i, 0);
    }
    mysql_stmt_bind_result(s->stmt, s->results);
}

static int mariadb_step_statement(struct db_statement *st)
{
    struct mariadb_statement *s = mariadb_statement_of(st);
    int result;

    if (s->db->db.gone)
        return DB_GONE;
    if (!s->executed) {
        if ((result = mariadb_execute(s)) < 0)
            return result;
        if (s->column_count == 0)
            return DB_DONE;
    }
    switch (mysql_stmt_fetch(s->stmt)) {
    case 0:
        return DB_ROW;
    case MYSQL_NO_DATA:
        return DB_DONE;
    case MYSQL_DATA_TRUNCATED:
        mariadb_fetch_truncated(s);
        return DB_ROW;
    default:
        return mariadb_fail(s->db, mysql_stmt_errno(s->stmt), mysql_stmt_error(s->stmt));
    }
}

static void mariadb_reset_statement(struct db_statement *st)
{
    struct mariadb_statement *s = mariadb_statement_of(st);

    if (s->executed && s->column_count && !s->db->db.gone)
        mysql_stmt_free_result(s->stmt);
    s->executed = 0;
}

static int64_t mariadb_column_int(struct db_statement *st, int at)
{
    const struct mariadb_statement *s = mariadb_statement_of(st);
    const struct column *c = &s->columns[at];

    if (c->null)
        return 0;
    return s->results[at].buffer_type == MYSQL_TYPE_DOUBLE ? (int64_t)c->number.real : c->number.integer;
}

static double mariadb_column_real(struct db_statement *st, int at)
{
    const struct mariadb_statement *s = mariadb_statement_of(st);
    const struct column *c = &s->columns[at];

    if (c->null)
        return 0;
    return s->results[at].buffer_type == MYSQL_TYPE_DOUBLE ? c->number.real : (double)c->number.integer;
}

static const void *mariadb_column_blob(struct db_statement *st, int at, size_t *len)
{
    const struct column *c = &mariadb_statement_of(st)->columns[at];

    *len = c->null ? 0 : c->len;
    return c->null ? NULL : c->data;
}

static int64_t mariadb_last_id(struct db *db)
{
    return mariadb_db_of(db)->last_id;
}

static int64_t mariadb_changes(struct db *db)
{
    return mariadb_db_of(db)->changed;
}

static int64_t mariadb_total_changes(struct db *db)
{
    return mariadb_db_of(db)->writes;
}

static int64_t mariadb_clock_ms(struct db *db)
{
    struct db_statement *s = db_query(db, "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)");
    int result = mariadb_step_statement(s);
    int64_t now_ms = result == DB_ROW ? mariadb_column_int(s, 0) : result < 0 ? result : DB_ERROR;

    mariadb_reset_statement(s);
    return now_ms;
}

static const char *mariadb_error(struct db *db)
{
    return mariadb_db_of(db)->error;
}

static int mariadb_in_transaction(struct db *db)
{
    return !db->gone && (mariadb_db_of(db)->mysql.server_status & SERVER_STATUS_IN_TRANS);
}

const struct db_driver mariadb_driver = {
    .name = "mariadb",
    .dialect = DIALECT_MARIADB,
    .close = mariadb_close_db,
    .prepare = mariadb_prepare,
    .bind_int = mariadb_bind_int,
    .bind_real = mariadb_bind_real,
    .bind_blob = mariadb_bind_blob,
    .step = mariadb_step_statement,
    .reset = mariadb_reset_statement,
    .column_int = mariadb_column_int,
    .column_real = mariadb_column_real,
    .column_blob = mariadb_column_blob,
    .last_id = mariadb_last_id,
    .total_changes = mariadb_total_changes,
    .changes = mariadb_changes,
    .clock_ms = mariadb_clock_ms,
    .error = mariadb_error,
    .in_transaction = mariadb_in_transaction,
};
