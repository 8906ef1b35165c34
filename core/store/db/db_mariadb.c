/* The MariaDB driver: the plain blocking client, on the store's own threads.
 *
 * Every answer has a deadline (read and write timeouts of the socket). A connection that fails in any way is dead: its
 * transaction's outcome is unknown, it is closed and never used again. It is closed by cutting the socket first, for
 * mysql_close says goodbye and would wait for a peer that is frozen.
 */
#include "core/store/db/db.h"

#include <errmsg.h>
#include <errno.h>
#include <fcntl.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PORT = 3306, FIRST_BYTES = 256 };

union number {
    long long integer;
    double real;
};

struct column {
    union number number;
    char *data; /* of a text or blob: grows to the longest seen */
    unsigned long capacity, len;
    my_bool null, cut;
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

struct mariadb_db {
    struct db db;
    MYSQL mysql;
    struct mariadb_statement *statements;
    int64_t changed, last_id;
    int64_t writes; /* statements executed that are not a SELECT */
    char words[512];
};

static struct mariadb_db *db_of(struct db *db)
{
    return (struct mariadb_db *)db;
}

static struct mariadb_statement *of(struct db_statement *s)
{
    return (struct mariadb_statement *)(void *)s;
}

static int is_lost(unsigned code)
{
    return code == CR_SERVER_GONE_ERROR || code == CR_SERVER_LOST || code == CR_CONNECTION_ERROR ||
           code == CR_CONN_HOST_ERROR || code == CR_COMMANDS_OUT_OF_SYNC || code == CR_UNKNOWN_ERROR ||
           code == ER_CONNECTION_KILLED || code == ER_SERVER_SHUTDOWN || code == ER_NORMAL_SHUTDOWN ||
           code == CR_SERVER_LOST_EXTENDED || code == ER_QUERY_INTERRUPTED || code == ER_OPTION_PREVENTS_STATEMENT;
}

static int result_of(struct mariadb_db *m, unsigned code, const char *words)
{
    snprintf(m->words, sizeof m->words, "%s (%u)", words, code);
    if (is_lost(code)) {
        m->db.gone = 1;
        return DB_GONE;
    }
    switch (code) {
    case ER_LOCK_DEADLOCK:
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_CHECKREAD:
        m->db.again = 1;
        return DB_AGAIN;
    case ER_DISK_FULL:
    case ER_RECORD_FILE_FULL:
        return DB_FULL;
    default:
        return DB_ERROR;
    }
}

static void statement_free(struct mariadb_statement *s)
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

static void mariadb_close(struct db *db)
{
    struct mariadb_db *m = db_of(db);
    struct mariadb_statement *next;
    int fd = (int)mysql_get_socket(&m->mysql);

    if (db->gone && fd >= 0)
        shutdown(fd, SHUT_RDWR);
    for (struct mariadb_statement *s = m->statements; s; s = next) {
        next = s->next;
        statement_free(s);
    }
    mysql_close(&m->mysql);
    free(m);
}

static int bind_columns(struct mariadb_statement *s)
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
        abort();
    for (unsigned i = 0; i < s->column_count; i++) {
        MYSQL_BIND *b = &s->results[i];
        struct column *c = &s->columns[i];

        b->is_null = &c->null;
        b->length = &c->len;
        b->error = &c->cut;
        switch (fields[i].type) {
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
                abort();
            c->capacity = FIRST_BYTES;
            b->buffer_type = MYSQL_TYPE_BLOB;
            b->buffer = c->data;
            b->buffer_length = c->capacity;
        }
    }
    mysql_free_result(meta);
    return mysql_stmt_bind_result(s->stmt, s->results) ? -1 : 0;
}

static struct db_statement *mariadb_prepare(struct db *db, const char *sql)
{
    struct mariadb_db *m = db_of(db);
    struct mariadb_statement *s = calloc(1, sizeof *s);

    if (!s || !(s->stmt = mysql_stmt_init(&m->mysql)))
        abort();
    s->db = m;
    s->reads = strncmp(sql, "SELECT", 6) == 0;
    if (db->gone || mysql_stmt_prepare(s->stmt, sql, strlen(sql)) || bind_columns(s)) {
        if (!db->gone && result_of(m, mysql_stmt_errno(s->stmt), mysql_stmt_error(s->stmt)) != DB_GONE) {
            statement_free(s);
            return NULL;
        }
        for (const char *c = sql; *c; c++) /* binding must have its places, for a caller who does not know yet */
            s->param_count += *c == '?';
    } else {
        s->param_count = mysql_stmt_param_count(s->stmt);
    }
    s->params = calloc(s->param_count + 1, sizeof *s->params);
    s->numbers = calloc(s->param_count + 1, sizeof *s->numbers);
    if (!s->params || !s->numbers)
        abort();
    s->next = m->statements;
    m->statements = s;
    return (struct db_statement *)(void *)s;
}

static void mariadb_bind_int(struct db_statement *st, int at, int64_t value)
{
    struct mariadb_statement *s = of(st);
    MYSQL_BIND *b = &s->params[at - 1];

    s->numbers[at - 1].integer = value;
    *b = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_LONGLONG, .buffer = &s->numbers[at - 1].integer};
}

static void mariadb_bind_real(struct db_statement *st, int at, double value)
{
    struct mariadb_statement *s = of(st);
    MYSQL_BIND *b = &s->params[at - 1];

    s->numbers[at - 1].real = value;
    *b = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_DOUBLE, .buffer = &s->numbers[at - 1].real};
}

static void mariadb_bind_blob(struct db_statement *st, int at, const void *data, size_t len, int is_text)
{
    MYSQL_BIND *b = &of(st)->params[at - 1];

    *b = (MYSQL_BIND){.buffer_type = !data     ? MYSQL_TYPE_NULL
                                     : is_text ? MYSQL_TYPE_STRING
                                               : MYSQL_TYPE_BLOB,
                      .buffer = (void *)(uintptr_t)data,
                      .buffer_length = len};
}

static int execute(struct mariadb_statement *s)
{
    struct mariadb_db *m = s->db;

    if (s->param_count && mysql_stmt_bind_param(s->stmt, s->params))
        return result_of(m, mysql_stmt_errno(s->stmt), mysql_stmt_error(s->stmt));
    /* INSERT … RETURNING says what it returns only once it has run. */
    if (mysql_stmt_execute(s->stmt) || (s->column_count == 0 && mysql_stmt_field_count(s->stmt) && bind_columns(s)) ||
        (s->column_count && mysql_stmt_store_result(s->stmt)))
        return result_of(m, mysql_stmt_errno(s->stmt), mysql_stmt_error(s->stmt));
    s->executed = 1;
    m->writes += !s->reads;
    if (s->column_count == 0) {
        m->changed = (int64_t)mysql_stmt_affected_rows(s->stmt);
        m->last_id = (int64_t)mysql_stmt_insert_id(s->stmt);
    }
    return 0;
}

static void fetch_cut(struct mariadb_statement *s)
{
    for (unsigned i = 0; i < s->column_count; i++) {
        struct column *c = &s->columns[i];

        if (!c->data || c->null || c->len <= c->capacity)
            continue;
        free(c->data);
        c->capacity = c->len;
        c->data = malloc(c->capacity);
        if (!c->data)
            abort();
        s->results[i].buffer = c->data;
        s->results[i].buffer_length = c->capacity;
        mysql_stmt_fetch_column(s->stmt, &s->results[i], i, 0);
    }
    mysql_stmt_bind_result(s->stmt, s->results);
}

static int mariadb_step(struct db_statement *st)
{
    struct mariadb_statement *s = of(st);
    int result;

    if (s->db->db.gone)
        return DB_GONE;
    if (!s->executed) {
        if ((result = execute(s)) < 0)
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
        fetch_cut(s);
        return DB_ROW;
    default:
        return result_of(s->db, mysql_stmt_errno(s->stmt), mysql_stmt_error(s->stmt));
    }
}

static void mariadb_reset(struct db_statement *st)
{
    struct mariadb_statement *s = of(st);

    if (s->executed && s->column_count && !s->db->db.gone)
        mysql_stmt_free_result(s->stmt);
    s->executed = 0;
}

static int64_t mariadb_int(struct db_statement *st, int at)
{
    const struct mariadb_statement *s = of(st);
    const struct column *c = &s->columns[at];

    if (c->null)
        return 0;
    return s->results[at].buffer_type == MYSQL_TYPE_DOUBLE ? (int64_t)c->number.real : c->number.integer;
}

static double mariadb_real(struct db_statement *st, int at)
{
    const struct mariadb_statement *s = of(st);
    const struct column *c = &s->columns[at];

    if (c->null)
        return 0;
    return s->results[at].buffer_type == MYSQL_TYPE_DOUBLE ? c->number.real : (double)c->number.integer;
}

static const void *mariadb_blob(struct db_statement *st, int at, size_t *len)
{
    const struct column *c = &of(st)->columns[at];

    *len = c->null ? 0 : c->len;
    return c->null ? NULL : c->data;
}

static int64_t mariadb_last_id(struct db *db)
{
    return db_of(db)->last_id;
}

static int64_t mariadb_changes(struct db *db)
{
    return db_of(db)->changed;
}

static int64_t mariadb_writes(struct db *db)
{
    return db_of(db)->writes;
}

static int64_t mariadb_clock(struct db *db)
{
    struct db_statement *s = db_query(db, "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)");
    int result = mariadb_step(s);
    int64_t now_ms = result == DB_ROW ? mariadb_int(s, 0) : result < 0 ? result : DB_ERROR;

    mariadb_reset(s);
    return now_ms;
}

static const char *mariadb_error_words(struct db *db)
{
    return db_of(db)->words;
}

static int mariadb_in_transaction(struct db *db)
{
    return !db->gone && (db_of(db)->mysql.server_status & SERVER_STATUS_IN_TRANS);
}

static const struct db_driver driver = {
    .name = "mariadb",
    .dialect = DIALECT_MARIADB,
    .close = mariadb_close,
    .prepare = mariadb_prepare,
    .bind_int = mariadb_bind_int,
    .bind_real = mariadb_bind_real,
    .bind_blob = mariadb_bind_blob,
    .step = mariadb_step,
    .reset = mariadb_reset,
    .column_int = mariadb_int,
    .column_real = mariadb_real,
    .column_blob = mariadb_blob,
    .last_id = mariadb_last_id,
    .total_changes = mariadb_writes,
    .changes = mariadb_changes,
    .clock_ms = mariadb_clock,
    .error = mariadb_error_words,
    .in_transaction = mariadb_in_transaction,
};

static int copy_part(char *to, size_t size, const char *from, size_t len)
{
    if (len == 0 || len >= size)
        return -1;
    memcpy(to, from, len);
    to[len] = 0;
    return 0;
}

int db_address_parse(const char *url, struct db_address *a, struct error *error)
{
    static const char scheme[] = "mariadb://";
    const char *at, *host, *slash, *colon;
    char *end;

    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        goto bad;
    url += sizeof scheme - 1;
    if (!(at = strchr(url, '@')) || !(slash = strchr(at, '/')) || memchr(url, ':', (size_t)(at - url)))
        goto bad;
    host = at + 1;
    colon = memchr(host, ':', (size_t)(slash - host));
    a->port = colon ? (unsigned)strtoul(colon + 1, &end, 10) : PORT;
    if ((colon && (end != slash || a->port == 0 || a->port > 65535)) ||
        copy_part(a->user, sizeof a->user, url, (size_t)(at - url)) ||
        copy_part(a->host, sizeof a->host, host, (size_t)((colon ? colon : slash) - host)) ||
        copy_part(a->name, sizeof a->name, slash + 1, strlen(slash + 1)))
        goto bad;
    return 0;
bad:
    return error_set(error, -EINVAL,
                     "KITH_DATABASE: expected sqlite or mariadb://user@host:port/name (the password goes into "
                     "KITH_DATABASE_PASSWORD or a file named by KITH_DATABASE_PASSWORD_FILE)");
}

/* Names the setting that would change it; -EAGAIN for what may pass by itself. */
static int explain(const struct db_address *a, unsigned code, const char *words, struct error *error)
{
    switch (code) {
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
        return error_set(error, -EACCES, "KITH_DATABASE_PASSWORD: the database refuses user “%s”: %s", a->user, words);
    case ER_DBACCESS_DENIED_ERROR:
    case ER_BAD_DB_ERROR:
        return error_set(error, -ENOENT, "KITH_DATABASE: database “%s” on %s: %s", a->name, a->host, words);
    case ER_HOST_NOT_PRIVILEGED:
    case ER_HOST_IS_BLOCKED:
        return error_set(error, -EACCES, "KITH_DATABASE: %s", words);
    default:
        return error_set(error, -EAGAIN, "KITH_DATABASE: %s:%u: %s", a->host, a->port, words);
    }
}

/* Times by UTC, text by bytes, errors instead of cut values, and no statement that waits for ever. A node that is
 * frozen in a transaction must not keep its locks: the server ends it. */
static int set_session(struct mariadb_db *m, unsigned timeout_s)
{
    char sql[512];

    snprintf(sql, sizeof sql,
             "SET NAMES utf8mb4 COLLATE utf8mb4_bin, time_zone = '+00:00', sql_mode = "
             "'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', tx_isolation = 'READ-COMMITTED', autocommit = 1, "
             "innodb_lock_wait_timeout = %u, idle_transaction_timeout = %u",
             timeout_s > 1 ? timeout_s / 2 : 1, timeout_s + 1);
    return mysql_query(&m->mysql, sql);
}

/* What a server that does not flush has acknowledged is gone with its power: then so is what we have promised. */
static int keeps_promises(struct mariadb_db *m, const struct db_address *a, struct error *error)
{
    MYSQL_RES *rows = NULL;
    MYSQL_ROW row = NULL;
    char flush[16] = "?";

    if (a->relaxed)
        return 1;
    if (mysql_query(&m->mysql, "SELECT @@innodb_flush_log_at_trx_commit") == 0 &&
        (rows = mysql_store_result(&m->mysql)) && (row = mysql_fetch_row(rows)))
        snprintf(flush, sizeof flush, "%s", row[0]);
    mysql_free_result(rows);
    if (!row)
        error_set(error, -EAGAIN, "KITH_DATABASE: %s", mysql_error(&m->mysql));
    else if (strcmp(flush, "1") != 0)
        error_set(
            error, -EPERM,
            "KITH_DATABASE: the server does not flush at each commit (innodb_flush_log_at_trx_commit is %s, not 1); "
            "KITH_DURABILITY=relaxed takes it as it is",
            flush);
    return row && strcmp(flush, "1") == 0;
}

struct db *db_open_mariadb(const struct db_address *a, struct error *error)
{
    struct mariadb_db *m = calloc(1, sizeof *m);
    unsigned timeout = a->timeout_s ? a->timeout_s : 5;
    const unsigned long flags = CLIENT_FOUND_ROWS;

    if (!m || !mysql_init(&m->mysql))
        abort();
    m->db.driver = &driver;
    mysql_options(&m->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
    mysql_options(&m->mysql, MYSQL_OPT_READ_TIMEOUT, &timeout);
    mysql_options(&m->mysql, MYSQL_OPT_WRITE_TIMEOUT, &timeout);
    mysql_options(&m->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (a->ca && a->ca[0]) { /* a server that shows no certificate of theirs is refused */
        mysql_optionsv(&m->mysql, MYSQL_OPT_SSL_CA, a->ca);
        mysql_optionsv(&m->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &(my_bool){1});
        mysql_optionsv(&m->mysql, MYSQL_OPT_SSL_ENFORCE, &(my_bool){1});
    }
    if (!mysql_real_connect(&m->mysql, a->host, a->user, a->password ? a->password : "", a->name, a->port, NULL,
                            flags) ||
        set_session(m, timeout)) {
        explain(a, mysql_errno(&m->mysql), mysql_error(&m->mysql), error);
        mysql_close(&m->mysql);
        free(m);
        return NULL;
    }
    /* A worker must not inherit it: a connection that somebody else holds open never ends, nor does its transaction. */
    if (!keeps_promises(m, a, error)) {
        mysql_close(&m->mysql);
        free(m);
        return NULL;
    }
    fcntl((int)mysql_get_socket(&m->mysql), F_SETFD, FD_CLOEXEC);
    return &m->db;
}
