/* Declarations that the sources of the MariaDB driver share. It uses the blocking client, on the store's threads only.
 *
 * Every answer has a deadline (read and write timeouts of the socket). After a failure of the connection the outcome of
 * its transaction is unknown: the connection is closed and never used again.
 */
#ifndef KITH_CORE_STORE_DB_MARIADB_H
#define KITH_CORE_STORE_DB_MARIADB_H

#include "core/store/db/db.h"

#include <mysql.h>

struct mariadb_statement;

struct mariadb_db {
    struct db db;
    MYSQL mysql;
    struct mariadb_statement *statements;
    int64_t changed, last_id;
    int64_t writes;  /* statements executed that are not a SELECT */
    char error[512]; /* of the last statement that failed */
};

extern const struct db_driver mariadb_driver;

/* Keeps the text of the error, marks a lost connection or an undone transaction, and returns the db_result. */
int mariadb_fail(struct mariadb_db *m, unsigned code, const char *text);

#endif
