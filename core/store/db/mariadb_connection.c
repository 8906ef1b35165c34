/* Connections of the MariaDB driver: the address, the session's settings, TLS. */
#include "core/store/db/mariadb.h"

#include "core/base/must.h"
#include "core/base/settings/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <mysqld_error.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT = 3306 };

static int mariadb_copy_part(char *to, size_t size, const char *from, size_t len)
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
        mariadb_copy_part(a->user, sizeof a->user, url, (size_t)(at - url)) ||
        mariadb_copy_part(a->host, sizeof a->host, host, (size_t)((colon ? colon : slash) - host)) ||
        mariadb_copy_part(a->name, sizeof a->name, slash + 1, strlen(slash + 1)))
        goto bad;
    return 0;
bad:
    return error_set(error, -EINVAL,
                     "KITH_DATABASE: expected sqlite or mariadb://user@host:port/name (the password goes into "
                     "KITH_DATABASE_PASSWORD or a file named by KITH_DATABASE_PASSWORD_FILE)");
}

/* Names the setting that would change it. The code is -EAGAIN when a later try may succeed. */
static int mariadb_explain(const struct db_address *a, unsigned code, const char *text, struct error *error)
{
    switch (code) {
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
        return error_set(error, -EACCES, "KITH_DATABASE_PASSWORD%s%s%s: the database refuses user “%s”: %s",
                         a->password_file ? "_FILE (" : "", a->password_file ? a->password_file : "",
                         a->password_file ? ")" : "", a->user, text);
    case ER_DBACCESS_DENIED_ERROR:
    case ER_BAD_DB_ERROR:
        return error_set(error, -ENOENT, "KITH_DATABASE: database “%s” on %s: %s", a->name, a->host, text);
    case ER_HOST_NOT_PRIVILEGED:
    case ER_HOST_IS_BLOCKED:
        return error_set(error, -EACCES, "KITH_DATABASE: %s", text);
    default:
        return error_set(error, -EAGAIN, "KITH_DATABASE: %s:%u: %s", a->host, a->port, text);
    }
}

/* UTC times, binary collation, errors instead of truncated values, and a limit on each lock wait. The server ends the
 * transaction of a client that is idle in it, so a frozen node does not keep its locks. */
static int mariadb_set_session(struct mariadb_db *m, unsigned timeout_s)
{
    char sql[512];

    snprintf(sql, sizeof sql,
             "SET NAMES utf8mb4 COLLATE utf8mb4_bin, time_zone = '+00:00', sql_mode = "
             "'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', tx_isolation = 'READ-COMMITTED', autocommit = 1, "
             "innodb_lock_wait_timeout = %u, idle_transaction_timeout = %u",
             timeout_s > 1 ? timeout_s / 2 : 1, timeout_s + 1);
    return mysql_query(&m->mysql, sql);
}

/* A server that does not flush at each commit loses committed transactions when its power fails. Returns whether it
 * flushes, or need not. */
static int mariadb_check_durability(struct mariadb_db *m, const struct db_address *a, struct error *error)
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

/* The password may have changed since the last connection. */
static int mariadb_log_in(struct mariadb_db *m, const struct db_address *a, unsigned timeout, struct error *error)
{
    const unsigned long flags = CLIENT_FOUND_ROWS;
    char text[SECRET_BYTES];
    const char *password = a->password ? a->password : "";
    bool failed;

    if (a->password_file) {
        if (secret_read_line(a->password_file, "KITH_DATABASE_PASSWORD_FILE", text, error) < 0)
            return error->code;
        password = text;
    }
    failed = !mysql_real_connect(&m->mysql, a->host, a->user, password, a->name, a->port, NULL, flags) ||
             mariadb_set_session(m, timeout);
    explicit_bzero(text, sizeof text);
    return failed ? mariadb_explain(a, mysql_errno(&m->mysql), mysql_error(&m->mysql), error) : 0;
}

struct db *db_open_mariadb(const struct db_address *a, struct error *error)
{
    struct mariadb_db *m = calloc(1, sizeof *m);
    unsigned timeout = a->timeout_s ? a->timeout_s : 5;

    if (!m || !mysql_init(&m->mysql))
        out_of_memory();
    m->db.driver = &mariadb_driver;
    mysql_options(&m->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
    mysql_options(&m->mysql, MYSQL_OPT_READ_TIMEOUT, &timeout);
    mysql_options(&m->mysql, MYSQL_OPT_WRITE_TIMEOUT, &timeout);
    mysql_options(&m->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (a->ca && a->ca[0]) { /* refuse a server without a certificate that the authority has signed */
        mysql_optionsv(&m->mysql, MYSQL_OPT_SSL_CA, a->ca);
        mysql_optionsv(&m->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &(my_bool){1});
        mysql_optionsv(&m->mysql, MYSQL_OPT_SSL_ENFORCE, &(my_bool){1});
    }
    if (mariadb_log_in(m, a, timeout, error) < 0) {
        mysql_close(&m->mysql);
        free(m);
        return NULL;
    }
    if (!mariadb_check_durability(m, a, error)) {
        mysql_close(&m->mysql);
        free(m);
        return NULL;
    }
    /* A worker process that inherited the socket would keep the connection and its transaction open. */
    fcntl((int)mysql_get_socket(&m->mysql), F_SETFD, FD_CLOEXEC);
    return &m->db;
}
