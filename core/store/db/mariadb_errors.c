/* Which db_result an error of MariaDB is. */
#include "core/store/db/mariadb.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>

/* Codes and their meaning: https://mariadb.com/kb/en/mariadb-error-code-reference/ and the client's errmsg.h. A code
 * that is not listed is DB_ERROR: it may pass. */
static const struct {
    unsigned code;
    int result;
} errors[] = {
    /* the connection, or the server as a whole */
    {CR_SERVER_GONE_ERROR, DB_GONE},
    {CR_SERVER_LOST, DB_GONE},
    {CR_SERVER_LOST_EXTENDED, DB_GONE},
    {CR_CONNECTION_ERROR, DB_GONE},
    {CR_CONN_HOST_ERROR, DB_GONE},
    {CR_COMMANDS_OUT_OF_SYNC, DB_GONE},
    {CR_UNKNOWN_ERROR, DB_GONE},
    {ER_CONNECTION_KILLED, DB_GONE},
    {ER_SERVER_SHUTDOWN, DB_GONE},
    {ER_NORMAL_SHUTDOWN, DB_GONE},
    {ER_QUERY_INTERRUPTED, DB_GONE},
    {ER_OPTION_PREVENTS_STATEMENT, DB_GONE}, /* read_only: another server may accept writes */
    {ER_CON_COUNT_ERROR, DB_GONE},
    {ER_TOO_MANY_USER_CONNECTIONS, DB_GONE},
    /* another transaction */
    {ER_LOCK_DEADLOCK, DB_CONFLICT},
    {ER_LOCK_WAIT_TIMEOUT, DB_CONFLICT},
    {ER_CHECKREAD, DB_CONFLICT},
    /* the disk */
    {ER_DISK_FULL, DB_FULL},
    {ER_RECORD_FILE_FULL, DB_FULL},
    /* the values: the same statement fails each time */
    {ER_DATA_TOO_LONG, DB_INVALID},
    {ER_TRUNCATED_WRONG_VALUE, DB_INVALID},
    {ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, DB_INVALID}, /* a text that is not UTF-8, among others */
    {ER_INVALID_CHARACTER_STRING, DB_INVALID},
    {ER_WARN_DATA_OUT_OF_RANGE, DB_INVALID},
    {ER_DATA_OUT_OF_RANGE, DB_INVALID},
    {WARN_DATA_TRUNCATED, DB_INVALID},
    {ER_BAD_NULL_ERROR, DB_INVALID},
    {ER_NO_DEFAULT_FOR_FIELD, DB_INVALID},
    {ER_DUP_ENTRY, DB_INVALID},
    {ER_DUP_ENTRY_WITH_KEY_NAME, DB_INVALID},
    {ER_NO_REFERENCED_ROW, DB_INVALID},
    {ER_NO_REFERENCED_ROW_2, DB_INVALID},
    {ER_ROW_IS_REFERENCED, DB_INVALID},
    {ER_ROW_IS_REFERENCED_2, DB_INVALID},
    {ER_CONSTRAINT_FAILED, DB_INVALID},
    {ER_SIGNAL_EXCEPTION, DB_INVALID}, /* a trigger of another program */
    {ER_BAD_FIELD_ERROR, DB_INVALID},
    {ER_TOO_BIG_ROWSIZE, DB_INVALID},
    {ER_NET_PACKET_TOO_LARGE, DB_INVALID},
    {CR_NET_PACKET_TOO_LARGE, DB_INVALID},
};

int db_mariadb_result(unsigned code)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].code == code)
            return errors[i].result;
    return DB_ERROR;
}

int mariadb_fail(struct mariadb_db *m, unsigned code, const char *text)
{
    int result = db_mariadb_result(code);

    snprintf(m->error, sizeof m->error, "%s (%u)", text, code);
    if (result == DB_GONE)
        m->db.gone = 1;
    if (result == DB_CONFLICT)
        m->db.conflict = 1;
    return result;
}
