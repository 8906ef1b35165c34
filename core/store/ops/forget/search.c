/* Searches one column of the database for strings, whatever table it is of: also those of other programs and of older
 * versions (kith forget --verify). The columns are those of text and bytes that the catalogue of the database lists. */
#include "core/store/store_internal.h"

#include "core/base/text.h"

#include <stdio.h>
#include <string.h>

enum { COLUMN_BYTES = 256 };

struct search_column {
    char table[COLUMN_BYTES], name[COLUMN_BYTES];
    bool text; /* MariaDB: it has a character set */
};

/* The names of API keys do not count: they may be alike. */
#define NOT_SEARCHED "('who', 'said_by')"

/* DB_ROW, DB_DONE when there are fewer columns, or negative. */
static int search_find_column(struct op *op, int64_t number, struct search_column *c)
{
    struct db_statement *s = db_query(
        op->db,
        "{SELECT m.name, p.name, 0 FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND "
        "m.name NOT LIKE 'sqlite%' AND p.type NOT IN ('INTEGER', 'BIGINT', 'DOUBLE') AND p.name NOT IN " NOT_SEARCHED
        " AND NOT (m.name = 'api_keys' AND p.name = 'name') ORDER BY 1, 2 LIMIT 1 OFFSET ?"
        "|SELECT c.table_name, c.column_name, c.character_set_name IS NOT NULL FROM information_schema.columns c JOIN "
        "information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name WHERE "
        "c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' AND (c.character_set_name IS NOT NULL OR "
        "c.data_type LIKE '%blob' OR c.data_type LIKE '%binary') AND c.column_name NOT IN " NOT_SEARCHED
        " AND NOT (c.table_name = 'api_keys' AND c.column_name = 'name') ORDER BY 1, 2 LIMIT 1 OFFSET ?}");
    int result;

    op->d->bind_int(s, 1, number);
    if ((result = db_step(op->db, s)) == DB_ROW) {
        snprintf(c->table, sizeof c->table, "%s", op_text(op, s, 0));
        snprintf(c->name, sizeof c->name, "%s", op_text(op, s, 1));
        c->text = op->d->column_int(s, 2) != 0;
    }
    op->d->reset(s);
    return result;
}

/* Both databases take names in backticks. */
static void search_quote(char out[static 2 * COLUMN_BYTES + 3], const char *name)
{
    *out++ = '`';
    for (; *name; name++) {
        if (*name == '`')
            *out++ = '`';
        *out++ = *name;
    }
    *out++ = '`';
    *out = 0;
}

/* A statement of this column: its rows that hold the bytes of the parameter. NULL: the table has gone since. */
static struct db_statement *search_prepare(struct op *op, const struct search_column *c)
{
    char table[2 * COLUMN_BYTES + 3], name[2 * COLUMN_BYTES + 3];
    const char *bytes;

    search_quote(table, c->table);
    search_quote(name, c->name);
    if (c->text)
        bytes = arena_printf(op->arena, "CAST(CONVERT(%s USING utf8mb4) AS BINARY)", name);
    else
        bytes = arena_printf(op->arena, "CAST(%s AS %s)", name, op->d->dialect == DIALECT_SQLITE ? "BLOB" : "BINARY");
    return op->d->prepare(op->db,
                          arena_printf(op->arena, "SELECT %s FROM %s WHERE INSTR(%s, ?) > 0", bytes, table, bytes));
}

/* The number of rows that hold the string, or negative. */
static int64_t search_count(struct op *op, struct db_statement *s, const struct search_string *string)
{
    int64_t count = 0;
    int result;

    op->d->bind_blob(s, 1, string->bytes, string->len, 0);
    while ((result = db_step(op->db, s)) == DB_ROW) {
        size_t len = 0;
        const void *value = op->d->column_blob(s, 0, &len);

        count += !string->text || text_has_words(value, len, string->bytes, string->len);
    }
    op->d->reset(s);
    return result < 0 ? result : count;
}

int op_search_column(struct op *op, const struct msg *msg)
{
    const struct store_search *m = (const struct store_search *)msg;
    const char **texts = arena_alloc(op->arena, (size_t)m->count * sizeof *texts + 1);
    struct search_column c;
    struct db_statement *s;
    int result = search_find_column(op, m->column, &c);

    if (result != DB_ROW)
        return result < 0 ? result : 0;
    op->reply->texts = texts;
    op->reply->more = true;
    if (!(s = search_prepare(op, &c)))
        return op_refuse(op, STORE_BROKEN, "the column %.60s.%.60s cannot be read", c.table, c.name);
    for (int i = 0; i < m->count; i++) {
        int64_t count = search_count(op, s, &m->strings[i]);

        if (count < 0)
            return (int)count;
        if (count > 0)
            texts[op->reply->text_count++] =
                arena_printf(op->arena, "column %s.%s: %lld row%s with %s", c.table, c.name, (long long)count,
                             count == 1 ? "" : "s", m->strings[i].what);
    }
    return 0;
}
